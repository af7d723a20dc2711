"""Stage score: the reconstructions of a run against their CTs, one table a run."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
import json
from pathlib import Path
from typing import Any

import pandas as pd

from drr.errors import InputError
from drr.files import replacing
from drr.progress import each
from dx2ct import layout
from dx2ct.config import ScoreSettings, XraySettings
from dx2ct.config.keys import require_version
from dx2ct.data.cohort.selection import read_rows
from dx2ct.data.tables import read_frame, require_columns
from dx2ct.methods.saved import read_run
from dx2ct.metrics import Distance, measured, views_in
from dx2ct.scoring.nodules import read_nodule_table
from dx2ct.scoring.scan import NODULE_COLUMNS, score_scan, ScoringOptions, SLICE_COLUMNS

AGAIN = "run the score stage again"


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
    """Write one row a scan and volume (axial, coronal, sagittal, mean), with the columns of `score_columns`.

    Beside it go nodules.csv, one row a nodule of the sheet (column nodules) or of the table `nodules`, and slices.csv,
    one row a slice; both of the mean volume. run holds volumes/ and planes/ in HU; data holds slices/, and xrays/ made
    by `xray`. Empty: LPIPS where it is switched off or its weights cannot be had, and a tissue that is not there.
    Without xray there are no columns of reprojection. threads: of the ray-caster, 0 = all. A PSNR of equal volumes is
    written as inf.
    Raises InputError for a missing, unfit or mirrored reconstruction, a truth without a body, and when there is no scan
    to score.
    """
    require_version(settings)
    if not scans:
        raise InputError(f"{run}: nothing to score: the sample sheet has no scan with split test")
    rows = {row["scan"]: row for row in read_rows(sheet)} if sheet else {}
    lpips = _lpips() if settings.lpips else {}
    options = ScoringOptions(settings, data, lpips, xray, rows, read_nodule_table(nodules), threads, _files(run))
    found = [score_scan(run, scan, options) for scan in each(scans, "score", "scan")]
    scores, kept, slices = ([row for part in parts for row in part] for parts in zip(*found, strict=True))
    _write_rows(kept, NODULE_COLUMNS, output.with_name("nodules.csv"))
    _write_rows(slices, SLICE_COLUMNS, output.with_name("slices.csv"))
    _write_rows(scores, score_columns(options.views), output)


def score_columns(views: Sequence[str]) -> list[str]:
    """The columns of scores.csv where X-rays of these views were compared.

    Raises InputError for names of views that the columns of scores or of their means could not tell apart.
    """
    metrics = measured(views)
    columns = ["scan", "plane", *(metric.name for metric in metrics if metric.headline)]
    columns += ["data_range_hu", *(metric.name for metric in metrics if not metric.headline)]
    if views_in(columns) != tuple(views) or any(view.endswith("_planes") for view in views):
        raise InputError(f"xray.views: {', '.join(views)}: floor_NAME and NAME_planes cannot be scored, choose others")
    return columns


def read_settings(run: Path) -> dict[str, Any]:
    """The settings that a run was trained with."""
    path = layout.settings(run)
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no settings of a trained run ({error}): run the train stage") from None
    return settings


def trainings_of(run: Path) -> list[Path]:
    """The folders of a run's weights: its own or, with folds, those of its trainings."""
    path = layout.folds(run)
    if not path.is_file():
        return [run]
    try:
        return [run.with_name(name) for name in json.loads(path.read_text(encoding="utf-8")).values()]
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: no names of trainings ({error}): delete it and run the folds stage") from None


def read_scores(run: Path) -> pd.DataFrame:
    """The run's scores.csv; numbers as float, empty ones as NaN. InputError where a metric is missing."""
    path = layout.scores(run)
    scores = read_frame(path, AGAIN, text=("scan", "plane"))
    require_columns(path, AGAIN, score_columns(views_in(scores.columns)), scores.columns)
    return scores


def read_fused(run: Path) -> pd.DataFrame:
    """The scores of the fused volumes, by scan."""
    scores = read_scores(run)
    return scores[scores["plane"] == layout.FUSED].set_index("scan")


def write_table(table: pd.DataFrame, output: Path, float_format: str = "%.4f") -> None:
    """Write CSV, NaN as an empty cell."""
    with replacing(output) as part:
        table.to_csv(part, index=False, float_format=float_format)


def _write_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: Path) -> None:
    write_table(pd.DataFrame(rows).reindex(columns=list(columns)), output)


def _files(run: Path) -> Callable[[str], list[str]]:
    """The user's own files of a scan that a run of volumes made elsewhere names."""
    if not layout.settings(run).is_file():
        return lambda scan: []
    method, settings = read_run(run)
    return partial(method.files, settings.run)


def _lpips() -> Mapping[str, Distance]:
    """Those whose weights can be had, by backbone."""
    from dx2ct.metrics.lpips import load_lpips  # torch: the metrics and report stages do without it

    return load_lpips()
