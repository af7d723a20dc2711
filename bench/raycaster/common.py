"""What the parts of bench/drr.py share: the volume, the views, statistics and tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import platform
import statistics
import time
from typing import Any

import numpy as np

from drr.errors import InputError
from drr.geometry import PRESETS, Vector, View
from drr.volume import read_volume, Volume

ROOT = Path(__file__).resolve().parents[2]
SIDE_MM = 320
# view: gantry angle as recorded, and whether our named view is its mirror image (PA hangs as seen from the detector)
VIEWS = {"PA": (180.0, True), "lateral": (90.0, False), "45 degrees": (45.0, False)}


@dataclass(frozen=True)
class Bench:
    """Volume: in patient axes, int16 HU. folder: for files of one run, with the volume itself as ct.mha."""

    volume: Volume
    folder: Path
    peers: Path | None
    only: tuple[str, ...]
    rounds: int
    slow_rounds: int
    threads: int

    @property
    def ct(self) -> Path:
        return self.folder / "ct.mha"


def canonical_ct(given: Path | None, folder: Path) -> tuple[Volume, str]:
    """The volume, also written to folder/ct.mha, and what it is."""
    scan = Path(os.environ.get("DX2CT_REAL_DATA", ROOT.parent / "shared/data")) / "ct/LIDC-IDRI-0001.zip"
    if given:
        volume, what = read_volume(given), given.name
    elif scan.exists():
        from drr.ct.limits import MAX_HOLE_MM
        from dx2ct.config import VolumeSettings
        from dx2ct.data.prepare.volume import make_volume

        settings = VolumeSettings(1.0, SIDE_MM, "center", "linear", MAX_HOLE_MM)
        make_volume(scan, settings, folder / "ct.mha", None)
        volume, what = read_volume(folder / "ct.mha"), scan.name
    else:
        volume, what = random_volume(SIDE_MM), "random HU (no scan in DX2CT_REAL_DATA)"
    if not volume.is_canonical or volume.array.dtype != np.int16:
        raise InputError(f"{given}: the peers need int16 voxels along the patient's axes: `python -m dx2ct volume`")
    volume.write(folder / "ct.mha")
    return volume, what


def random_volume(n: int) -> Volume:
    """n cubed voxels in a cube of 320 mm, every one for itself anything from air to bone."""
    hu = np.random.default_rng(0).integers(-1024, 2000, (n, n, n), dtype=np.int16)
    return Volume(hu, (SIDE_MM / n,) * 3, (0.0, 0.0, 0.0))


def own_view(name: str, isocentre_mm: Vector, pixels: int = 320) -> View:
    """One of VIEWS as drr renders it: PA and lateral by name, as the protocol has them."""
    beam = PRESETS["x2ct"].with_pixels(pixels)
    if name in ("PA", "lateral"):
        return beam.view(name.lower(), isocentre_mm)
    return beam.rotated(VIEWS[name][0], 0, isocentre_mm)


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(values: Sequence[float], digits: int = 2) -> str:
    """min / median / max."""
    return " / ".join(f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def relative(image: Any, truth: Any) -> float:
    """Relative L2 error."""
    image, truth = np.asarray(image, np.float64), np.asarray(truth, np.float64)
    return float(np.linalg.norm(image - truth) / np.linalg.norm(truth))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |")


def machine() -> str:
    """Cores and vector units, in words."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    units = [name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if f" {flag} " in info]
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {platform.machine()} {units[0] if units else ''}, load {load:.1f} before the run"
