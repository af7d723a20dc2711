"""Stage metrics: one row a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dx2ct import layout
from dx2ct.layout import FUSED
from dx2ct.metrics import measured, Metric, views_in
from dx2ct.scoring.run import read_scores, read_settings, trainings_of, write_table

ABLATIONS = ["views", "conditioning", "query_transformer", "prediction"]  # of a run's row of settings
PLANES = "_planes"  # ends the name of a mean over the three plane volumes


def write_metrics(runs: Sequence[Path], output: Path) -> None:
    """Write one row a run from RUN/settings.json and RUN/scores.csv, means over scans and over trainings.

    A metric's own column is of the mean volume; *_planes are means over the three plane volumes, which is how the paper
    averages. psnr_db_std: sample deviation over scans; psnr_db_std_trainings: over the means of trainings, of a run
    with several seeds. folds: of a run that was trained once for each, so that no scan is one that its weights have
    seen; each counts once. Empty where a column does not apply.
    """
    write_table(pd.DataFrame([_together(name, group) for name, group in layout.by_seed(runs).items()]), output)


def views_of(columns: Iterable[str]) -> tuple[str, ...]:
    """The views whose X-rays runs were scored with, from the columns of metrics.csv."""
    return views_in(column for column in columns if not column.endswith(PLANES))


def means(scores: pd.DataFrame, metrics: Sequence[Metric]) -> "pd.Series[float]":
    """Of each metric's column. A scan without bone says nothing about bone; LPIPS of some scans is no LPIPS."""
    found = scores[[metric.name for metric in metrics]].mean(skipna=False)
    skipping = [metric.name for metric in metrics if metric.scope.skips_missing]
    found[skipping] = scores[skipping].mean()
    return found


def _together(name: str, trainings: Sequence[Path]) -> dict[str, Any]:
    """The row of a run: what its trainings share, and the means of their numbers."""
    rows = [_summary(training) for training in trainings]
    found: dict[str, Any] = {"run": name}
    for key, value in rows[0].items():
        if key == "data_range_hu":
            found["psnr_db_std_trainings"] = pd.Series([row["psnr_db"] for row in rows]).std()
            found["trainings"] = len(rows)
            folded = layout.folds(trainings[0]).is_file()
            found["folds"] = str(len(trainings_of(trainings[0]))) if folded else ""
        found[key] = float(np.mean([row[key] for row in rows])) if isinstance(value, float) else value
    return found


def _summary(run: Path) -> dict[str, Any]:
    settings, scores = read_settings(run)["run"], read_scores(run)
    metrics = measured(views_in(scores.columns))
    is_fused = scores["plane"] == FUSED
    fused, planes = means(scores[is_fused], metrics), means(scores[~is_fused], metrics).add_suffix(PLANES)
    headline = [metric.name for metric in metrics if metric.headline]
    others = [column for m in metrics if not m.headline for column in (m.name, m.name + PLANES)]
    with np.errstate(invalid="ignore"):  # an infinite PSNR has no deviation
        psnr_db_std = scores.loc[is_fused, "psnr_db"].std()
    return {
        "method": settings["method"],
        **{key: _cell(settings.get(key)) for key in ABLATIONS},
        "scans": int(is_fused.sum()),
        **fused[headline],
        **planes[[name + PLANES for name in headline]],
        "psnr_db_std": psnr_db_std,
        "data_range_hu": scores["data_range_hu"].iloc[0],
        **pd.concat([fused, planes])[others],
    }


def _cell(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(value) if isinstance(value, list) else value if value is None else str(value)
