"""Stages score and metrics: reconstructions against their CTs, one table a run, then one row a run."""

from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from tqdm import tqdm

from drr.errors import InputError
from drr.files import replacing
from drr.volume import read_volume
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.scans import read_stack
from dx2ct.metrics import body_mask, COLUMNS, Distance, score_pair
from dx2ct.settings import check_version, ScoreSettings

VERSION = 2
FUSED = "mean"  # the mean of the three plane volumes, the volume that a run delivers
METRICS = ["psnr_db", "ssim", "lpips", "mae_hu"]
FURTHER = [name for name in COLUMNS if name not in METRICS]  # the rest of the metric matrix
ABLATIONS = ["views", "conditioning", "query_transformer", "prediction"]


def score_run(run: Path, scans: Sequence[str], settings: ScoreSettings, data: Path, output: Path) -> None:
    """Write one row a scan and volume (axial, coronal, sagittal, mean): scan, plane, METRICS, data_range_hu, FURTHER.

    run holds volumes/ and planes/ in HU, data holds slices/. LPIPS is empty where it is switched off or its weights
    cannot be had; a PSNR of equal volumes is written as inf. The slices of the mean volume are axial.
    Raises InputError for a missing or unfit reconstruction, a truth without a body, and when there is no scan to score.
    """
    check_version("score", VERSION, settings.version)
    if not scans:
        raise InputError(f"{run}: nothing to score: the sample sheet has no scan with split test")
    lpips = _lpips() if settings.lpips else None
    rows = []
    for scan in tqdm(scans, desc="score", disable=None):
        truth = np.asarray(read_stack(data, scan, "axial"))
        body = _body(truth, scan)
        for plane in (*PLANES, FUSED):
            image = _read_reconstruction(reconstruction_path(run, scan, plane), truth.shape)
            rows.append({"scan": scan, "plane": plane, **_score(truth, image, body, plane, settings, lpips)})
    write_table(pd.DataFrame(rows), output)


def _lpips() -> Distance | None:
    from dx2ct.lpips_metric import load_lpips  # torch: the metrics and report stages do without it

    return load_lpips()


def reconstruction_path(run: Path, scan: str, plane: str) -> Path:
    """Where a run keeps a scan's volume made from the slices of `plane`, or their mean ("mean")."""
    return run / "volumes" / f"{scan}.nii.gz" if plane == FUSED else run / "planes" / scan / f"{plane}.nii.gz"


def write_metrics(runs: Sequence[Path], output: Path) -> None:
    """Write one row a run from RUN/settings.json and RUN/scores.csv, means over scans.

    METRICS and FURTHER are of the mean volume (psnr_db_std is the sample deviation over scans); *_planes are means over
    the three plane volumes, which is how the paper averages. Empty where a column does not apply.
    """
    write_table(pd.DataFrame([_summary(run) for run in runs]), output)


def read_settings(run: Path) -> dict[str, Any]:
    """The settings that a run was trained with."""
    path = run / "settings.json"
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no settings of a trained run ({error}): run the train stage") from None
    return settings


def read_scores(run: Path) -> pd.DataFrame:
    """The run's scores.csv; numbers as float, empty ones as NaN."""
    path = run / "scores.csv"
    try:
        scores = pd.read_csv(path, dtype={"scan": str, "plane": str} | dict.fromkeys(METRICS + FURTHER, float))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no scores of a run ({error}): run the score stage") from None
    missing = {"scan", "plane", "data_range_hu", *METRICS, *FURTHER} - set(scores.columns)
    if missing:
        raise InputError(f"{path}: lacks the columns {', '.join(sorted(missing))}: run the score stage again")
    return scores


def _read_reconstruction(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    if not path.exists():
        raise InputError(f"{path}: reconstruction is missing: run the reconstruct stage for this scan")
    array = read_volume(path).array
    if array.shape != shape:
        raise InputError(f"{path}: shape {array.shape} is not the truth's {shape}: run reconstruct and slices again")
    return array


def _body(truth: NDArray[Any], scan: str) -> NDArray[np.bool_]:
    try:
        return body_mask(truth)
    except InputError as error:
        raise InputError(f"scan {scan}: {error}: take it out of the test split") from None


def _score(
    truth: NDArray[Any],
    image: NDArray[Any],
    body: NDArray[np.bool_],
    plane: str,
    settings: ScoreSettings,
    lpips: Distance | None,
) -> dict[str, float | None]:
    stack = "axial" if plane == FUSED else plane
    matrix = score_pair(truth, image, body, stack, settings.data_range_hu)
    scores = matrix | {"lpips": lpips(to_plane(truth, stack), to_plane(image, stack)) if lpips else None}
    return {name: scores[name] for name in METRICS} | {
        "data_range_hu": settings.data_range_hu,
        **{name: scores[name] for name in FURTHER},
    }


def _summary(run: Path) -> dict[str, Any]:
    settings, scores = read_settings(run)["run"], read_scores(run)
    is_fused = scores["plane"] == FUSED
    fused, planes = scores.loc[is_fused, METRICS + FURTHER], scores.loc[~is_fused, METRICS + FURTHER]
    means, of_planes = fused.mean(skipna=False), planes.mean(skipna=False).add_suffix("_planes")
    with np.errstate(invalid="ignore"):  # an infinite PSNR has no deviation
        psnr_db_std = fused["psnr_db"].std()
    return {
        "run": run.name,
        "method": settings["method"],
        **{key: _cell(settings.get(key)) for key in ABLATIONS},
        "scans": len(fused),
        **means[METRICS],
        **of_planes[[f"{name}_planes" for name in METRICS]],
        "psnr_db_std": psnr_db_std,
        "data_range_hu": scores["data_range_hu"].iloc[0],
        **{key: table[key] for name in FURTHER for key, table in ((name, means), (f"{name}_planes", of_planes))},
    }


def _cell(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(value) if isinstance(value, list) else value if value is None else str(value)


def write_table(table: pd.DataFrame, output: Path, float_format: str = "%.4f") -> None:
    """Write CSV, NaN as an empty cell."""
    with replacing(output) as part:
        table.to_csv(part, index=False, float_format=float_format)
