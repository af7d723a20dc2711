"""Stages score and metrics: reconstructions against their CTs, one table a run, then one row a run."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import check_version, ScoreSettings, XraySettings
from dx2ct.data.cohort.selection import read_rows
from dx2ct.metrics import COLUMNS, Distance
from dx2ct.metrics.reprojection import REPROJECTION_COLUMNS
from dx2ct.metrics.tissue import TISSUE_COLUMNS
from dx2ct.scoring.nodules import read_nodule_table
from dx2ct.scoring.scan import FUSED, How, NODULE_COLUMNS, reconstruction_path, score_scan, SLICE_COLUMNS

__all__ = ["FUSED", "reconstruction_path"]

VERSION = 3
METRICS = ["psnr_db", "ssim", "lpips", "mae_hu"]
CLINICAL = [*TISSUE_COLUMNS, *REPROJECTION_COLUMNS]
FURTHER = [*(name for name in COLUMNS if name not in METRICS), "lpips_vgg", *CLINICAL]  # the rest of the metric matrix
ABLATIONS = ["views", "conditioning", "query_transformer", "prediction"]


def score_run(
    run: Path,
    scans: Sequence[str],
    settings: ScoreSettings,
    data: Path,
    output: Path,
    xray: XraySettings | None = None,
    sheet: Path | None = None,
    nodules: Path | None = None,
    threads: int = 0,
) -> None:
    """Write one row a scan and volume (axial, coronal, sagittal, mean): scan, plane, METRICS, data_range_hu, FURTHER.

    Beside it go nodules.csv, one row a nodule of the sheet (column nodules) or of the table `nodules`, and slices.csv,
    one row a slice; both of the mean volume. run holds volumes/ and planes/ in HU; data holds slices/, and xrays/ made
    by `xray`. Empty: LPIPS where it is switched off or its weights cannot be had, reprojection without xray, a tissue
    that is not there. threads: of the ray-caster, 0 = all. A PSNR of equal volumes is written as inf.
    Raises InputError for a missing or unfit reconstruction, a truth without a body, and when there is no scan to score.
    """
    check_version("score", VERSION, settings.version)
    if not scans:
        raise InputError(f"{run}: nothing to score: the sample sheet has no scan with split test")
    rows = {row["scan"]: row for row in read_rows(sheet)} if sheet else {}
    how = How(settings, data, _lpips() if settings.lpips else {}, xray, rows, read_nodule_table(nodules), threads)
    found = [score_scan(run, scan, how) for scan in tqdm(scans, desc="score", disable=None)]
    tables = {
        output.with_name("nodules.csv"): NODULE_COLUMNS,
        output.with_name("slices.csv"): SLICE_COLUMNS,
        output: ("scan", "plane", *METRICS, "data_range_hu", *FURTHER),
    }
    scores, kept, slices = ([row for part in parts for row in part] for parts in zip(*found, strict=True))
    for (path, columns), lines in zip(tables.items(), (kept, slices, scores), strict=True):
        write_table(pd.DataFrame(lines).reindex(columns=list(columns)), path)


def _lpips() -> Mapping[str, Distance]:
    """Those whose weights can be had, by column."""
    from dx2ct.metrics.lpips import load_lpips  # torch: the metrics and report stages do without it

    return load_lpips()


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


def _summary(run: Path) -> dict[str, Any]:
    settings, scores = read_settings(run)["run"], read_scores(run)
    is_fused = scores["plane"] == FUSED
    fused, planes = scores.loc[is_fused, METRICS + FURTHER], scores.loc[~is_fused, METRICS + FURTHER]
    means, of_planes = _mean(fused), _mean(planes).add_suffix("_planes")
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


def _mean(scores: pd.DataFrame) -> "pd.Series[float]":
    """Of each column. A scan without bone says nothing about bone; LPIPS of some scans is no LPIPS."""
    means = scores.mean(skipna=False)
    means[CLINICAL] = scores[CLINICAL].mean()
    return means


def _cell(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(value) if isinstance(value, list) else value if value is None else str(value)


def write_table(table: pd.DataFrame, output: Path, float_format: str = "%.4f") -> None:
    """Write CSV, NaN as an empty cell."""
    with replacing(output) as part:
        table.to_csv(part, index=False, float_format=float_format)
