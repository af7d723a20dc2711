"""The tables of a ranking, for a terminal and for a page."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dx2ct.benchmark.provenance import Provenance
from dx2ct.benchmark.rows import METRICS
from dx2ct.benchmark.statistics import Difference, differences, summaries, Summary
from dx2ct.metrics import measured
from dx2ct.report.table import Cell, Column, Table
from dx2ct.report.tables import column, RUN, VIEWS

_METRICS = [one for one in measured(()) if one.name in METRICS]  # those of no view
_RANKING = (
    "Means over the scans and then over the trainings, of the fused volume; ± the deviation of the trainings' means. "
    "CPU and GPU seconds are of one training. ↑ higher is better, ↓ lower is better, – not known or does not apply."
)
_PAIRED = (
    "PSNR of {run} over each other run, paired by scan, with its 95 % interval over scans and, of runs that were "
    "trained several times, over trainings; and on how many scans it is ahead."
)
NOTE = (
    "* best; ↑ higher is better, ↓ lower is better, – not known or does not apply.\n"
    "Research use only, not a medical device: a volume shows what is likely, not what is there."
)
_COLUMNS = (
    RUN,
    VIEWS,
    Column("trainings", "trainings", 0),
    Column("cpu_s", "CPU, s", 0),
    Column("gpu_s", "GPU, s", 0),
    Column("psnr_db", "PSNR, dB", 2, 1),
    Column("spread", "±, dB", 2),
    *(column(metric) for metric in _METRICS if metric.name != "psnr_db"),
    Column("reprojection_pa", "PA error", 4, -1),
    Column("reprojection_lateral", "lateral error", 4, -1),
)
_DIFFERENCES = (
    Column("trainings", "trainings"),
    Column("difference", "difference, dB", 2),
    Column("low", "from", 2),
    Column("high", "to", 2),
    Column("ahead", "scans ahead"),
)


def ranking(rows: pd.DataFrame, provenance: Mapping[str, Provenance]) -> Table:
    """One row a run, the best PSNR first."""
    found = reversed(summaries(rows))
    return Table("ranking", _RANKING, _COLUMNS, [_row(one, provenance.get(one.run)) for one in found])


def against(rows: pd.DataFrame, run: str) -> Table:
    """One run against every other, the best of these first."""
    pairs = [(run, one.run) for one in reversed(summaries(rows)) if one.run != run]
    lines = [_line(one) for one in differences(rows, pairs)]
    columns = (Column("other", f"{run} over"), *_DIFFERENCES)
    return Table("against", _PAIRED.format(run=run), columns, lines, marks_best=False)


def best(rows: pd.DataFrame) -> str:
    """The run of the highest PSNR."""
    return summaries(rows)[-1].run


def to_text(*tables: Table) -> str:
    """Tables for a terminal, and what is to be known of them."""
    return "\n\n".join([*map(_aligned, tables), NOTE])


def _aligned(table: Table) -> str:
    """Numbers stand to the right; the best value has a star."""
    cells = [[one.label for one in table.columns]]
    cells += [[text + ("*" if is_best else "") for text, is_best in row] for row in table.texts()]
    widths = [max(map(len, texts)) for texts in zip(*cells, strict=True)]
    return "\n".join(_padded(row, widths, table.columns) for row in cells)


def _padded(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = zip(row, widths, columns, strict=True)
    return "  ".join(text.ljust(n) if column.digits is None else text.rjust(n) for text, n, column in parts).rstrip()


def _row(one: Summary, said: Provenance | None) -> dict[str, Cell]:
    numbers: dict[str, Cell] = {str(name): float(value) for name, value in one.mean.items()}
    words: dict[str, Cell] = {
        "run": one.run,
        "views": said.views if said else "",
        "gpu_s": said.gpu_s if said else None,
    }
    return words | numbers | {"trainings": one.trainings, "spread": float(one.spread["psnr_db"])}


def _line(one: Difference) -> dict[str, Cell]:
    found = one.paired
    return {
        "other": one.other,
        "trainings": f"{found.trainings} and {found.other_trainings}",
        "difference": found.difference,
        "low": found.ci_low,
        "high": found.ci_high,
        "ahead": f"{one.ahead} of {found.scans}",
    }
