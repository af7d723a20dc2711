"""One scan of a run against its CT: everything that the stage score measures."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct import layout
from dx2ct.config import ScoreSettings, XraySettings
from dx2ct.data.finite import require_finite
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import windowed
from dx2ct.metrics import Distance, Evaluation, score, Truth
from dx2ct.metrics.nodule import retention
from dx2ct.scoring.mirrored import require_upright
from dx2ct.scoring.nodules import Lines, nodules_of

NODULE_COLUMNS = (
    *("scan", "nodule", "x_mm", "y_mm", "z_mm", "diameter_mm"),
    *("contrast_truth_hu", "contrast_hu", "kept"),
)
SLICE_COLUMNS = ("scan", "plane", "slice", "psnr_db")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ScoringOptions:
    """What the scans of a run are scored by.

    lpips: distances by definition. xray: how the X-rays were rendered; None leaves the reprojection out. sheet: rows by
    scan. threads: of the ray-caster, 0 = all. files: of a scan, the user's own that its reconstruction was read from.
    """

    settings: ScoreSettings
    data: Path
    lpips: Mapping[str, Distance] = field(default_factory=dict)
    xray: XraySettings | None = None
    sheet: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nodules: Lines = field(default_factory=dict)
    threads: int = 0
    files: Callable[[str], list[str]] = lambda scan: []

    @property
    def views(self) -> tuple[str, ...]:
        """The views whose X-rays reconstructions are compared with."""
        return tuple(self.xray.views) if self.xray else ()


def score_scan(run: Path, scan: str, options: ScoringOptions) -> tuple[Rows, Rows, Rows]:
    """Rows of scores.csv (one a volume), nodules.csv and slices.csv of one scan; the latter two of the fused volume."""
    hu = np.asarray(read_stack(options.data, scan, "axial"))
    planes = (*PLANES, layout.FUSED)
    volumes = {plane: _read(layout.reconstruction(run, scan, plane), hu.shape) for plane in planes}
    require_upright(scan, options.files(scan), hu, {plane: volume.array for plane, volume in volumes.items()})
    fused = volumes[layout.FUSED]
    ct = _truth(Volume(hu, fused.spacing_mm, fused.origin_mm), scan, options)
    scores = [
        {
            "scan": scan,
            "plane": plane,
            "data_range_hu": ct.data_range_hu,
            **score(Evaluation(ct, volume.array, "axial" if plane == layout.FUSED else plane)),
        }
        for plane, volume in volumes.items()
    ]
    return scores, _nodules(hu, fused, scan, options), _slices(hu, fused.array, scan, ct.data_range_hu)


def _read(path: Path, shape: tuple[int, ...]) -> Volume:
    if not path.exists():
        raise InputError(f"{path}: reconstruction is missing: run the reconstruct stage for this scan")
    volume = read_volume(path)
    if volume.array.shape != shape:
        raise InputError(
            f"{path}: shape {volume.array.shape} is not the truth's {shape}: run reconstruct and slices again"
        )
    require_finite(path, volume)
    return volume


def _truth(volume: Volume, scan: str, options: ScoringOptions) -> Truth:
    """The CT with its X-rays; InputError for one without a body."""
    xrays = read_xrays(options.data, scan, options.views)
    views = options.xray.exposures(isocentre_mm=volume.centre_mm) if options.xray else {}
    ct = Truth(volume, options.settings.data_range_hu, options.lpips, xrays, views, options.threads)
    try:
        _ = ct.body
    except InputError as error:
        raise InputError(f"scan {scan}: {error}: take it out of the test split") from None
    return ct


def _nodules(truth: NDArray[Any], fused: Volume, scan: str, options: ScoringOptions) -> Rows:
    rows = []
    nodules = nodules_of(scan, options.sheet.get(scan, {}), options.nodules, fused)
    for number, nodule in enumerate(nodules, start=1):
        place = dict(zip(("x_mm", "y_mm", "z_mm"), nodule.centre_mm, strict=True))
        found = asdict(retention(truth, fused, nodule))
        rows.append({"scan": scan, "nodule": number, **place, "diameter_mm": nodule.diameter_mm, **found})
    return rows


def _slices(truth: NDArray[Any], image: NDArray[Any], scan: str, data_range_hu: float) -> Rows:
    """PSNR of every slice of the three planes; inf where a slice has no error."""
    error = (windowed(truth) - windowed(image)) ** 2
    rows = []
    for plane in PLANES:
        with np.errstate(divide="ignore"):
            values = 10 * np.log10(data_range_hu**2 / to_plane(error, plane).mean(axis=(1, 2)))
        rows += [{"scan": scan, "plane": plane, "slice": number, "psnr_db": db} for number, db in enumerate(values)]
    return rows
