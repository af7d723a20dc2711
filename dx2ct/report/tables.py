"""Stage tables: the paper's Tables I and II, tissues, X-rays, what becomes of nodules, and what every run costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dx2ct.data.tables import read_table
from dx2ct.metrics import measured, Metric, METRICS
from dx2ct.metrics.metric import TISSUE, XRAY
from dx2ct.report.cost import COST, cost_of
from dx2ct.report.nodules import nodules_by_size
from dx2ct.report.table import Cell, Column, Table
from dx2ct.scoring.summary import PLANES, views_of

RUN, METHOD, VIEWS = Column("run", "run"), Column("method", "method"), Column("views", "X-rays")
ABLATIONS = (
    Column("query_transformer", "3DPQT"),
    Column("conditioning", "conditioning"),
    Column("prediction", "prediction"),
)
NODULES = (
    Column("size_mm", "diameter, mm"),
    Column("nodules", "nodules", 0),
    Column("visible", "seen on this grid", 0),
    Column("mean", "mean kept", 2),
    Column("median", "median kept", 2),
    Column("lower", "lower quartile", 2),
    Column("upper", "upper quartile", 2),
)
_RULES = (
    "PSNR, SSIM and LPIPS by PerX2CT's rules, which DX2CT is inferred to use, of the three plane volumes, averaged as "
    "DX2CT does; the other columns are strict: 3D, range 2500 HU, LPIPS with AlexNet on [-1, 1], fused volume."
)
_TISSUES = (
    "Tissues of the fused volume by fixed thresholds (lung below -500 HU inside the body, soft -200 to 200, bone from "
    "200): rules, not segmentations."
)
_REPROJECTION = (
    "Reprojection: relative error of the X-rays that the fused volume would give, at one pixel a voxel. Floor: that of "
    "the CT itself on the same grid, what a perfect reconstruction would have."
)
_NODULES = (
    "Nodules by diameter: fraction of the contrast to the lung around that the reconstruction keeps (1 all, 0 none), "
    "over nodules whose contrast on this grid is 50 HU or more."
)
_COST = (
    "Cost on the machine where this was run. Parameters: numbers in the weights file; GFLOP: one forward pass of the "
    "network for one slice; memory is the host's at its largest."
)


def column(metric: Metric, planes: bool = False) -> Column:
    """A metric's column of metrics.csv: of the fused volume or, planes, the mean over the three plane volumes."""
    return Column(metric.name + PLANES * planes, metric.label, metric.digits, metric.better)


def quality() -> tuple[Column, ...]:
    """DX2CT's own metrics as the paper averages them, then the other headline metrics of the fused volume."""
    paper = sorted((metric for metric in METRICS if metric.paper), key=lambda metric: metric.paper)
    rest = [metric for metric in METRICS if metric.headline and not metric.paper]
    return (*(column(metric, planes=True) for metric in paper), *map(column, rest))


def tables(views: Sequence[str]) -> dict[str, Table]:
    """The tables without their rows, by name; views: whose X-rays the runs were scored with."""
    metrics = measured(views)
    tissues = [column(metric) for metric in metrics if metric.scope == TISSUE]
    xrays = [column(one) for view in views for one in measured([view]) if one.scope == XRAY]
    both, one = "Table I (a): from two X-rays.", "Table I (b): from one X-ray."
    found = (
        Table("table1a", f"{both} {_RULES}", (RUN, METHOD, *quality())),
        Table("table1b", f"{one} {_RULES}", (RUN, METHOD, VIEWS, *quality())),
        Table("table2", f"Table II: ablations of DX2CT. {_RULES}", (RUN, VIEWS, *ABLATIONS, *quality())),
        Table("clinical", _TISSUES, (RUN, *tissues)),
        Table("reprojection", _REPROJECTION, (RUN, *xrays)),
        Table("nodules", _NODULES, (RUN, *NODULES)),
        Table("cost", _COST, (RUN, *COST)),
    )
    return {table.name: table for table in found}


def write_tables(runs: Sequence[Path], metrics: Path, benchmarks: Path, output: Path) -> None:
    """Write every table as output/NAME.csv, .md and .tex; one without rows has its header.

    runs: folders with settings.json, weights.safetensors and nodules.csv. benchmarks: the workflow's folder; what it
    does not hold stays empty. Raises InputError for a file that is missing or cannot be read.
    """
    lines = read_table(metrics, "run the metrics stage")
    views = views_of(lines[0] if lines else ())
    rows: dict[str, Sequence[Mapping[str, Cell]]] = {
        "table1a": _of_views(lines, 2),
        "table1b": _of_views(lines, 1),
        "table2": [line for line in lines if _has_ablations(line)],
        "clinical": lines,
        "reprojection": lines if views else [],
        "nodules": [row for run in runs for row in nodules_by_size(run)],
        "cost": [cost_of(run, benchmarks) for run in runs],
    }
    for name, table in tables(views).items():
        replace(table, rows=rows[name], marks_best=ranks_runs(lines)).write(output)


def ranks_runs(lines: Sequence[Mapping[str, str]]) -> bool:
    """Whether rows of results/metrics.csv rank their runs: each was scored on two scans or more."""
    return all(int(line["scans"]) > 1 for line in lines)


def _of_views(lines: Sequence[Mapping[str, str]], count: int) -> Sequence[Mapping[str, str]]:
    """A part of Table I: the methods that see so many X-rays, with those that see none as their floor."""
    found = [line for line in lines if _is_main(line) and len(_views(line)) in (0, count)]
    return found if any(map(_views, found)) else []


def _views(line: Mapping[str, str]) -> list[str]:
    return [view for view in line["views"].split("+") if view]


def _has_ablations(line: Mapping[str, str]) -> bool:
    """Whether the row says what is varied in Table II."""
    return bool(line["query_transformer"])


def _is_main(line: Mapping[str, str]) -> bool:
    """Not an ablation of Table II."""
    return not _has_ablations(line) or (line["query_transformer"] == "true" and line["conditioning"] == "spade")
