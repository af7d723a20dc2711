"""Run against run, paired by scan: is a difference of means more than the luck of a few scans?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from scipy import stats

from dx2ct import layout
from dx2ct.metrics import measured, views_in
from dx2ct.scoring.run import read_fused, write_table

CONFIDENCE = 0.95
EXTREMES = 3  # best and worst scans listed of a run
_COLUMNS = ("run", "other", "metric")


@dataclass(frozen=True)
class Paired:
    """One metric of two runs on the same scans; NaN where it cannot be computed."""

    scans: int
    trainings: int
    other_trainings: int
    mean: float
    other_mean: float
    difference: float
    ci_low: float
    ci_high: float
    wilcoxon_p: float


def paired(values: NDArray[np.float64], others: NDArray[np.float64]) -> Paired:
    """Compare two runs' scores, (scan,) or (training, scan) where a run was trained with several seeds.

    Scans stand in the same order; one with a score that is not finite is left out. difference: mean of values - others.
    ci_low, ci_high: its 95 % confidence interval over scans and, where there are several, over each run's trainings;
    from two scans. wilcoxon_p: two-sided signed-rank test (scipy) of the means over trainings, not corrected for the
    number of tests; 1 when all differences are 0, NaN for one scan.
    """
    one, other = np.atleast_2d(values), np.atleast_2d(others)
    finite = np.isfinite(one).all(axis=0) & np.isfinite(other).all(axis=0)
    one, other = one[:, finite], other[:, finite]
    if not finite.any():
        return Paired(0, len(one), len(other), *[float("nan")] * 6)
    differences = one.mean(axis=0) - other.mean(axis=0)
    low, high = _interval(one, other)
    p = float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
    p = p if len(differences) > 1 else float("nan")
    means = float(one.mean()), float(other.mean()), float(differences.mean())
    return Paired(len(differences), len(one), len(other), *means, low, high, p)


def write_comparisons(runs: Sequence[Path], output: Path) -> None:
    """Write one row for each pair of runs and metric, of the mean volumes of the scans that both have scored.

    Columns: run, other, metric, those of `Paired`, and lowest_scan, highest_scan, where run - other is least and most.
    Trainings of one run with several seeds are one run. A single run gives a header without rows. Metrics of a view
    stand there where both runs have it.
    """
    tables = {name: [read_fused(run) for run in group] for name, group in layout.by_seed(runs).items()}
    rows = [
        {"run": run, "other": other, "metric": metric} | _row(tables[run], tables[other], metric)
        for run, other in combinations(tables, 2)
        for metric in _in_all([*tables[run], *tables[other]])
    ]
    names = [*_COLUMNS, *Paired.__dataclass_fields__, "lowest_scan", "highest_scan"]
    write_table(pd.DataFrame(rows, columns=names), output, "%.6g")


def extremes(run: Path) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The run's worst scans (worst first) and its best (best first): scan and psnr_db of the mean volume."""
    ranked = [
        (str(scan), float(value)) for scan, value in read_fused(run)["psnr_db"].sort_values(kind="stable").items()
    ]
    return ranked[:EXTREMES], ranked[::-1][:EXTREMES]


def _in_all(tables: Sequence[pd.DataFrame]) -> list[str]:
    first, *others = tables
    known = [metric.name for metric in measured(views_in(first.columns))]
    return [name for name in known if all(name in table.columns for table in others)]


def _row(run: Sequence[pd.DataFrame], other: Sequence[pd.DataFrame], metric: str) -> dict[str, object]:
    together = pd.concat([table[metric] for table in (*run, *other)], axis=1, join="inner")
    values, others = (part.to_numpy(float).T for part in (together.iloc[:, : len(run)], together.iloc[:, len(run) :]))
    differences = pd.Series(values.mean(axis=0) - others.mean(axis=0), together.index).dropna()
    scans = [differences.idxmin(), differences.idxmax()] if len(differences) else ["", ""]
    return asdict(paired(values, others)) | dict(zip(("lowest_scan", "highest_scan"), scans, strict=True))


def _interval(values: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[float, float]:
    """Of the difference of means of (training, scan): Student's t with the degrees of freedom of Welch-Satterthwaite.

    Three things vary: scans, of which both runs have the same, and the trainings of each run. A run of one training
    says nothing of how trainings vary, and is taken as it is.
    """
    differences = values.mean(axis=0) - others.mean(axis=0)
    samples = [differences, *(table.mean(axis=1) for table in (values, others) if len(table) > 1)]
    if len(differences) < 2:
        return float("nan"), float("nan")
    variances = np.array([sample.var(ddof=1) / len(sample) for sample in samples])
    freedom = np.array([len(sample) - 1 for sample in samples])
    middle, total = differences.mean(), variances.sum()
    if total == 0:
        return float(middle), float(middle)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, total**2 / (variances**2 / freedom).sum()) * np.sqrt(total)
    return float(middle - half), float(middle + half)
