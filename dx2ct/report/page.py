"""Stage report: figures and one self-contained HTML page about the runs."""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
import csv
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
import json
from pathlib import Path
import platform

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from drr.errors import InputError
from drr.files import replacing
from drr.volume import read_volume
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.sheet import read_sheet, Row
from dx2ct.figures import Case, comparison_figure, loss_figure, VIEWS
from dx2ct.score import FUSED, METRICS, read_scores, read_settings, reconstruction_path
from dx2ct.selection import SPLITS
from dx2ct.statistics import extremes

CASES = 2  # the first test scans of the sheet: chosen by order, not by score
FILM_PIXELS = 256
PACKAGES = ("dx2ct", "torch", "numpy", "SimpleITK", "scikit-image", "lpips", "matplotlib")


@dataclass(frozen=True)
class Picture:
    """A figure in the page: PNG bytes in base64."""

    name: str
    png_base64: str


def write_report(
    runs: Sequence[Path],
    metrics: Path,
    comparisons: Path,
    sheet: Path,
    leave_out: Sequence[str],
    left_out: Sequence[Path],
    data: Path,
    output: Path,
) -> None:
    """Write the page to `output` and its figures to the folder figures/ beside it.

    runs: folders with settings.json, scores.csv, volumes/, and training.csv where the method trains by steps.
    left_out: tables of scans left out (.tsv with columns path or scan, and reason) or records SCAN.txt, whose first
    line is the reason; leave_out: scans of the sheet that were passed over.
    Raises InputError for a file that is missing or cannot be read, and when the sheet has no test scan.
    """
    rows = read_sheet(sheet, leave_out)
    tests = [row.scan for row in rows if row.split == "test"]
    if not tests:
        raise InputError(f"{sheet}: nothing to report: no scan with split test is left")
    figures = output.parent / "figures"
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            is_phantom=_is_phantom(sheet),
            metrics=_read_table(metrics, ","),
            comparisons=[
                row for row in _read_table(comparisons, ",") if row["metric"] in METRICS and int(row["scans"])
            ],
            extremes={run.name: extremes(run) for run in runs},
            comparison=_save(
                comparison_figure([_case(scan, runs, data) for scan in tests[:CASES]]), figures, "comparison"
            ),
            shown=tests[:CASES],
            runs=[run.name for run in runs],
            loss=_loss_picture(runs, figures),
            splits=_count(rows),
            left_out=_reasons(leave_out, left_out),
            scans=_scan_table(runs),
            settings={run.name: json.dumps(read_settings(run), indent=2, sort_keys=True) for run in runs},
            versions={"Python": platform.python_version()} | {package: _version(package) for package in PACKAGES},
        )
    )
    with replacing(output) as part:
        part.write_text(page, encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dx2ct"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    return environment


def _number(value: str | float, digits: int) -> str:
    """A cell of a table; empty and NaN become a dash."""
    number = float("nan" if value == "" else value)
    return "–" if np.isnan(number) else f"{number:.{digits}f}"


def _case(scan: str, runs: Sequence[Path], data: Path) -> Case:
    films = dict(zip(VIEWS, read_xrays(data, scan, tuple(VIEWS), FILM_PIXELS), strict=True))
    volumes = {run.name: read_volume(reconstruction_path(run, scan, FUSED)).array for run in runs}
    return Case(scan, films, read_stack(data, scan, "axial"), volumes)


def _loss_picture(runs: Sequence[Path], figures: Path) -> Picture | None:
    tables = {run.name: pd.read_csv(run / "training.csv") for run in runs if (run / "training.csv").exists()}
    curves = {name: (np.asarray(table["step"]), np.asarray(table["loss"])) for name, table in tables.items()}
    return _save(loss_figure(curves), figures, "training") if curves else None


def _save(figure: Figure, folder: Path, name: str) -> Picture:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    with replacing(folder / f"{name}.png") as part:
        part.write_bytes(buffer.getvalue())
    return Picture(name, b64encode(buffer.getvalue()).decode("ascii"))


def _is_phantom(sheet: Path) -> bool:
    """Only the phantom cohort's sheet has a column `seed`."""
    return "seed" in sheet.read_text(encoding="utf-8").partition("\n")[0].split("\t")


def _read_table(path: Path, delimiter: str) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read for the report ({error})") from None


def _count(rows: Sequence[Row]) -> list[tuple[str, int, int]]:
    """(split, scans, patients)."""
    scans = Counter(row.split for row in rows)
    patients = Counter(split for _, split in {(row.patient, row.split) for row in rows})
    return [(split, scans[split], patients[split]) for split in SPLITS]


def _reasons(leave_out: Sequence[str], left_out: Sequence[Path]) -> list[tuple[str, str]]:
    """(scan or path, why it was left out), those without a record last."""
    reasons: dict[str, str] = {}
    for path in left_out:
        if path.suffix == ".tsv":
            table = _read_table(path, "\t")
            reasons |= {line.get("path") or line.get("scan") or "?": line.get("reason") or "" for line in table}
        else:
            reasons[path.stem] = _first_line(path)
    reasons |= {scan: "no reason recorded" for scan in leave_out if scan not in reasons}
    return list(reasons.items())


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: record of a left-out scan cannot be read ({error})") from None


def _scan_table(runs: Sequence[Path]) -> list[dict[str, object]]:
    """The mean volume's metrics, one row a scan and run, by scan."""
    tables = [read_scores(run).query("plane == @FUSED").assign(run=run.name) for run in runs]
    table = pd.concat(tables).sort_values("scan", kind="stable")[["scan", "run", *METRICS]]
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "run from its source folder"
