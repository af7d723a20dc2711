"""Stage report: one self-contained HTML page about the runs."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.data.tables import read_table as read_rows
from dx2ct.data.tables import Row
from dx2ct.report.calibration import caption
from dx2ct.report.pictures import CASES, test_scans
from dx2ct.report.provenance import commit, count, data_of, folds_of, reasons, today, versions
from dx2ct.report.results import DEFINED, HEADLINE, results, scans
from dx2ct.report.table import read_table
from dx2ct.report.tables import tables
from dx2ct.report.templating import environment
from dx2ct.report.viewer import viewer_of
from dx2ct.scoring.run import read_settings
from dx2ct.scoring.statistics import extremes
from dx2ct.scoring.summary import views_of

VENDOR = Path(__file__).parent / "vendor"
AGAIN = "run the metrics stage"


@dataclass(frozen=True)
class Inputs:
    """Files of the page. tables, figures: folders that the stages of these names wrote; config: as it was run, JSON."""

    metrics: Path
    comparisons: Path
    sheet: Path
    data: Path
    tables: Path
    figures: Path
    config: str | None = None


def write_report(
    runs: Sequence[Path], inputs: Inputs, leave_out: Sequence[str], left_out: Sequence[Path], output: Path
) -> None:
    """Write the page to `output`.

    runs: folders with settings.json, scores.csv, volumes/, calibration.png and .csv where there are several samples.
    left_out: tables of scans left out (.tsv with columns path or scan, and reason) or records SCAN.txt, whose first
    line is the reason; leave_out: scans of the sheet that were passed over.
    Raises InputError for a file that is missing or cannot be read, and when the runs share no test scan.
    """
    tests = test_scans(runs, inputs.sheet, leave_out)
    folded = [run.name for run in runs if layout.folds(run).is_file()]
    metrics = read_rows(inputs.metrics, AGAIN)
    shown = tables(views_of(metrics[0] if metrics else ())).values()
    page = (
        environment(is_html=True, filters={"number": _number})
        .get_template("report.html.j2")
        .render(
            is_phantom=data_of(inputs.sheet) == "phantom",
            results=results(metrics),
            defined=DEFINED,
            ranges=dict.fromkeys(_number(row["data_range_hu"], 0) for row in metrics),
            comparisons=_comparisons(inputs.comparisons),
            extremes={run.name: extremes(run) for run in runs},
            tables=[table for empty in shown if (table := read_table(empty, inputs.tables)).rows],
            figures={name: _png(inputs.figures / f"{name}.png") for name in layout.FIGURES},
            loss=_optional_png(inputs.figures / "training.png"),
            calibrations={
                run.name: (png, caption(run)) for run in runs if (png := _optional_png(layout.calibration(run, "png")))
            },
            shown=tests[:CASES],
            runs=[run.name for run in runs],
            splits=count(inputs.sheet, leave_out),
            folded=folded,
            folds={fold: count(inputs.sheet, leave_out, fold) for fold in folds_of(inputs.sheet)},
            left_out=reasons(leave_out, left_out),
            scans=scans(runs),
            settings={run.name: json.dumps(read_settings(run), indent=2, sort_keys=True) for run in runs},
            config=_pretty(inputs.config),
            commit=commit(),
            date=today(),
            versions=versions(),
            viewer=viewer_of(runs, tests, inputs.data),
            script=(Path(__file__).parent / "templates/viewer.js").read_text(encoding="utf-8"),
            niivue=(VENDOR / "niivue.umd.js").read_text(encoding="utf-8"),
            licences=(VENDOR / "LICENSES.txt").read_text(encoding="utf-8"),
        )
    )
    with replacing(output) as part:
        part.write_text(page, encoding="utf-8")


def _comparisons(path: Path) -> list[Row]:
    """Those of headline metrics that rest on a scan."""
    names = [metric.name for metric in HEADLINE]
    return [row for row in read_rows(path, AGAIN) if row["metric"] in names and int(row["scans"])]


def _number(value: str | float, digits: int) -> str:
    """A cell of a table; empty and NaN become a dash."""
    number = float("nan" if value == "" else value)
    return "–" if np.isnan(number) else f"{number:.{digits}f}"


def _png(path: Path) -> str:
    """In base64."""
    try:
        return b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise InputError(f"{path}: no figure for the report ({error.strerror}): run the figures stage") from None


def _optional_png(path: Path) -> str | None:
    return _png(path) if path.is_file() else None


def _pretty(config: str | None) -> str | None:
    try:
        return json.dumps(json.loads(config), indent=2) if config else None
    except ValueError as error:
        raise InputError(f"--config is no JSON ({error})") from None
