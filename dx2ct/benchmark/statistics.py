"""What is said of the runs of a ranking: means, spreads over trainings, and differences paired by scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from dx2ct.benchmark.rows import METRICS
from dx2ct.scoring.statistics import Paired, paired


@dataclass(frozen=True)
class Summary:
    """A run: means over scans and then over its trainings, and the deviation of the trainings' means.

    mean and spread have cpu_s and METRICS; the spread of a single training is NaN.
    """

    run: str
    trainings: int
    scans: int
    mean: "pd.Series[float]"
    spread: "pd.Series[float]"


@dataclass(frozen=True)
class Difference:
    """One run over another on the scans of both. ahead: scans where it is better, of the means over trainings."""

    run: str
    other: str
    paired: Paired
    ahead: int


def summaries(rows: pd.DataFrame) -> list[Summary]:
    """Every run, the one of lowest PSNR first."""
    found = []
    for run, part in rows.groupby("run"):
        of_seed = part.groupby("seed")[["cpu_s", *METRICS]].mean()
        found.append(Summary(str(run), len(of_seed), part["scan"].nunique(), of_seed.mean(), of_seed.std()))
    return sorted(found, key=lambda one: one.mean["psnr_db"])


def differences(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]], metric: str = "psnr_db") -> list[Difference]:
    """Those of the pairs whose runs are both there, in one metric of which more is better."""
    tables = {run: part.pivot_table(index="scan", columns="seed", values=metric) for run, part in rows.groupby("run")}
    return [
        _difference(run, other, tables[run], tables[other]) for run, other in pairs if {run, other} <= tables.keys()
    ]


def _difference(run: str, other: str, table: pd.DataFrame, others: pd.DataFrame) -> Difference:
    table, others = table.align(others, join="inner", axis=0)
    ahead = int((table.mean(axis=1) > others.mean(axis=1)).sum())
    return Difference(run, other, paired(table.to_numpy().T, others.to_numpy().T), ahead)
