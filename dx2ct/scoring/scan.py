"""One scan of a run against its CT: everything that the stage score measures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.geometry import PROTOCOL_VIEWS
from drr.volume import read_volume, Volume
from dx2ct.config import ScoreSettings, XraySettings
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.scans import read_films, read_stack
from dx2ct.data.window import windowed
from dx2ct.metrics import body_mask, Distance, score_pair
from dx2ct.metrics.nodule import retention
from dx2ct.metrics.reprojection import REPROJECTION_COLUMNS, reprojection_errors
from dx2ct.metrics.tissue import tissue_scores, tissues
from dx2ct.scoring.finite import require_finite
from dx2ct.scoring.nodules import Lines, nodules_of

FUSED = "mean"  # the mean of the three plane volumes, the volume that a run delivers
NODULE_COLUMNS = (
    *("scan", "nodule", "x_mm", "y_mm", "z_mm", "diameter_mm"),
    *("contrast_truth_hu", "contrast_hu", "kept"),
)
SLICE_COLUMNS = ("scan", "plane", "slice", "psnr_db")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class How:
    """What a scan is scored by. xray: of the films, None leaves the reprojection out; sheet: rows by scan."""

    settings: ScoreSettings
    data: Path
    lpips: Mapping[str, Distance]
    xray: XraySettings | None
    sheet: Mapping[str, Mapping[str, str]]
    nodules: Lines
    threads: int = 0


def score_scan(run: Path, scan: str, how: How) -> tuple[Rows, Rows, Rows]:
    """Rows of scores.csv (one a volume), nodules.csv and slices.csv of one scan; the latter two of the fused volume."""
    truth = np.asarray(read_stack(how.data, scan, "axial"))
    body = _body(truth, scan)
    theirs = tissues(truth, body)
    volumes = {plane: _read(reconstruction_path(run, scan, plane), truth.shape) for plane in (*PLANES, FUSED)}
    fused = volumes[FUSED]
    floor = _reprojection(Volume(truth, fused.spacing_mm, fused.origin_mm), scan, how)
    scores = []
    for plane, image in volumes.items():
        stack = "axial" if plane == FUSED else plane
        pair = truth, image.array
        values = {
            **score_pair(*pair, body, stack, how.settings.data_range_hu),
            **{name: distance(*(to_plane(one, stack) for one in pair)) for name, distance in how.lpips.items()},
            **tissue_scores(theirs, *pair, float(np.prod(image.spacing_mm)) / 1000),
            **dict(zip(REPROJECTION_COLUMNS, _reprojection(image, scan, how) + floor, strict=True)),
        }
        scores.append({"scan": scan, "plane": plane, "data_range_hu": how.settings.data_range_hu, **values})
    return scores, _nodules(truth, fused, scan, how), _slices(truth, fused.array, scan, how.settings.data_range_hu)


def reconstruction_path(run: Path, scan: str, plane: str) -> Path:
    """Where a run keeps a scan's volume made from the slices of `plane`, or their mean ("mean")."""
    return run / "volumes" / f"{scan}.nii.gz" if plane == FUSED else run / "planes" / scan / f"{plane}.nii.gz"


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


def _body(truth: NDArray[Any], scan: str) -> NDArray[np.bool_]:
    try:
        return body_mask(truth)
    except InputError as error:
        raise InputError(f"scan {scan}: {error}: take it out of the test split") from None


def _reprojection(volume: Volume, scan: str, how: How) -> tuple[float, ...]:
    if how.xray is None:
        return (float("nan"),) * len(PROTOCOL_VIEWS)
    films = read_films(how.data, scan, PROTOCOL_VIEWS)
    return reprojection_errors(volume, films, how.xray.cone_beam, how.threads)


def _nodules(truth: NDArray[Any], fused: Volume, scan: str, how: How) -> Rows:
    rows = []
    for number, nodule in enumerate(nodules_of(scan, how.sheet.get(scan, {}), how.nodules, fused), start=1):
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
