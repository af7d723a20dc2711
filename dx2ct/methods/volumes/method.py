"""Reads and checks the volumes that a row of method `volumes` names."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import SamplingOptions
from dx2ct.data.cohort.sheet import Row as SheetRow
from dx2ct.data.grid import CubeGrid, training_grid
from dx2ct.data.hu import read_hu, resampled
from dx2ct.data.planes import PLANES
from dx2ct.geometry import Views
from dx2ct.methods.base import Implementation
from dx2ct.methods.contract import Array, checked_xrays, InputSpec, Planes, Trained, Xrays
from dx2ct.methods.saved import write_run
from dx2ct.methods.volumes.settings import files_of, VolumesRow, VolumesSettings
from dx2ct.training.runtime import Runtime

SAME_MM = 0.1  # headers of NIfTI hold float32


class ForeignVolumes(Trained):
    """Volumes of one cohort, by the names of its scans."""

    def __init__(self, settings: VolumesSettings, scan: str = "") -> None:
        self.settings, self.scan = settings, scan
        self.inputs = InputSpec(Views(training_grid(settings.volume, settings.slices), {}), pixels=1)

    def of_scan(self, scan: str) -> "ForeignVolumes":
        """The volumes of one scan."""
        return ForeignVolumes(self.settings, scan)

    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """What the files hold, on the geometry's grid; InputError for a grid, values or a place that are others."""
        checked_xrays(xrays, self.inputs)
        if not self.scan:
            raise InputError("volumes made elsewhere belong to scans of a cohort: they cannot be made of X-rays")
        row = self.settings.run
        volumes = [_on_grid(Path(path), geometry.grid, row.resample) for path in files_of(row, self.scan)]
        return Planes.of_one(volumes[0]) if len(volumes) == 1 else Planes(**dict(zip(PLANES, volumes, strict=True)))


def require_files(row: VolumesRow, scans: Iterable[str]) -> None:
    """InputError where a scan has no volume."""
    missing = [path for scan in scans for path in files_of(row, scan) if not Path(path).is_file()]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{missing[0]}: no such volume{more}: mend the row's path ({row.path})")


def _on_grid(path: Path, grid: CubeGrid, resample: bool) -> Array:
    if not path.is_file():
        raise InputError(f"{path}: no such volume: mend the row's path")
    volume, target = read_hu(path), grid.volume()
    if what := difference(volume, target):
        if not resample:
            raise InputError(f"{path}: {what}: set resample: true in the row to put it on the training grid")
        volume = resampled(volume, target)
    return np.asarray(volume.array, np.float32)


def difference(volume: Volume, target: Volume) -> str:
    """How a volume in patient axes lies otherwise than another, in words; empty where it does not."""
    if volume.array.shape != target.array.shape:
        return f"{volume.array.shape} voxels instead of {target.array.shape}"
    for name in ("spacing_mm", "origin_mm"):
        found, expected = getattr(volume, name), getattr(target, name)
        if not np.allclose(found, expected, rtol=0, atol=SAME_MM):
            return f"{name.removesuffix('_mm')} {_short(found)} mm instead of {_short(expected)} mm"
    return "axes that are not the patient's" if not volume.is_canonical else ""


def _short(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


class Volumes(Implementation[VolumesSettings]):
    """Learns nothing; the volumes are read when a scan is reconstructed."""

    def train(
        self, settings: VolumesSettings, rows: Sequence[SheetRow], data: Path, output: Path, runtime: Runtime
    ) -> None:
        """Check that every test scan has its volumes, and leave a run without weights of its own."""
        require_files(settings.run, [row.scan for row in rows if row.split == "test"])
        write_run(save({}), settings, output)

    def load(self, settings: VolumesSettings, run: Path, runtime: Runtime) -> ForeignVolumes:
        """A reader of the volumes."""
        return ForeignVolumes(settings)


IMPLEMENTATION = Volumes()
