"""The tables of numbers that the page shows and no file holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from dx2ct.metrics import METRICS
from dx2ct.metrics.metric import TISSUE, XRAY
from dx2ct.report.table import Cell, Column, Table
from dx2ct.report.tables import ABLATIONS, column, METHOD, ranks_runs, RUN, VIEWS
from dx2ct.scoring.run import read_fused

HEADLINE = [metric for metric in METRICS if metric.headline]
OTHERS = [metric for metric in METRICS if not metric.headline and metric.scope not in (TISSUE, XRAY)]
DEFINED = [*HEADLINE, *OTHERS]  # those whose definitions the page repeats
_FUSED = (
    "Fused volume, mean over the test scans. ± deviation of PSNR. ↑ higher is better, ↓ lower is better, – does not "
    "apply or not measured."
)
_PLANES = "The same metrics averaged over the three plane volumes instead, as the paper averages."
_OTHERS = (
    "Other definitions, most of them of other papers: means over the three plane volumes as DX2CT averages. Only the "
    "columns of one rule can be compared."
)
_ONE_SCAN = "One test scan ranks no method: no value is marked as best. `dx2ct cohort --leave-one-out` tests on all."


def results(lines: Sequence[Mapping[str, str]]) -> list[Table]:
    """The tables of results/metrics.csv."""
    deviations = (
        Column("psnr_db_std", "± over scans, dB", 2),
        Column("psnr_db_std_trainings", "± over trainings, dB", 2),
    )
    counts = tuple(Column(name, name, 0) for name in ("scans", "folds", "trainings"))
    fused = (RUN, METHOD, VIEWS, *ABLATIONS, *counts, *map(column, HEADLINE), *deviations)
    ranks = ranks_runs(lines)
    return [
        Table("fused", _FUSED if ranks else f"{_FUSED} {_ONE_SCAN}", fused, lines, ranks),
        Table("planes", _PLANES, (RUN, *(column(metric, planes=True) for metric in HEADLINE)), lines, ranks),
        Table("others", _OTHERS, (RUN, *(column(metric, planes=True) for metric in OTHERS)), lines, ranks),
    ]


def scans(runs: Sequence[Path]) -> Table:
    """The headline metrics of the fused volume, one row a scan and run, by scan; no best among scans."""
    columns = [column(metric) for metric in HEADLINE]
    found = pd.concat([read_fused(run).assign(run=run.name) for run in runs]).reset_index()
    found = found.sort_values("scan", kind="stable")[["scan", "run", *(one.key for one in columns)]]
    rows: list[dict[str, Cell]] = [{str(key): value for key, value in row.items()} for row in found.to_dict("records")]
    return Table("scans", "", (Column("scan", "scan"), RUN, *columns), rows, marks_best=False)
