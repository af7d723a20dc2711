"""Run against run, paired by scan: is a difference of means more than the luck of a few scans?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from scipy import stats

from dx2ct.metrics import measured, views_in
from dx2ct.scoring.run import read_fused, write_table

RESAMPLES = 9999
CONFIDENCE = 0.95
SEED = 0
EXTREMES = 3  # best and worst scans listed of a run
_COLUMNS = ("run", "other", "metric")


@dataclass(frozen=True)
class Paired:
    """One metric of two runs on the same scans; NaN where it cannot be computed."""

    scans: int
    mean: float
    other_mean: float
    difference: float
    ci_low: float
    ci_high: float
    wilcoxon_p: float


def paired(values: NDArray[np.float64], others: NDArray[np.float64]) -> Paired:
    """Compare two runs' scores, one value a scan in the same order; pairs that are not finite are left out.

    difference: mean of values - others. ci_low, ci_high: its 95 % confidence interval, percentile bootstrap over scans
    (9,999 resamples, seed 0), from two scans. wilcoxon_p: two-sided signed-rank test (scipy), not corrected for the
    number of tests; 1 when all differences are 0.
    """
    finite = np.isfinite(values) & np.isfinite(others)
    one, other = values[finite], others[finite]
    if not finite.any():
        return Paired(0, *[float("nan")] * 6)
    differences = one - other
    low, high = _interval(differences)
    p = float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
    return Paired(len(one), float(one.mean()), float(other.mean()), float(differences.mean()), low, high, p)


def write_comparisons(runs: Sequence[Path], output: Path) -> None:
    """Write one row for each pair of runs and metric, of the mean volumes of the scans that both have scored.

    Columns: run, other, metric, those of `Paired`, and lowest_scan, highest_scan, where run - other is least and most.
    A single run gives a header without rows. Metrics of a view stand there where both runs have it.
    """
    tables = {run.name: read_fused(run) for run in runs}
    rows = [
        {"run": run, "other": other, "metric": metric} | _row(tables[run][metric], tables[other][metric])
        for run, other in combinations(tables, 2)
        for metric in _in_both(tables[run], tables[other])
    ]
    names = [*_COLUMNS, *Paired.__dataclass_fields__, "lowest_scan", "highest_scan"]
    write_table(pd.DataFrame(rows, columns=names), output, "%.6g")


def extremes(run: Path) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The run's worst scans (worst first) and its best (best first): scan and psnr_db of the mean volume."""
    ranked = [
        (str(scan), float(value)) for scan, value in read_fused(run)["psnr_db"].sort_values(kind="stable").items()
    ]
    return ranked[:EXTREMES], ranked[::-1][:EXTREMES]


def _in_both(run: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    return [metric.name for metric in measured(views_in(run.columns)) if metric.name in other.columns]


def _row(run: "pd.Series[float]", other: "pd.Series[float]") -> dict[str, object]:
    both = pd.concat([run, other], axis=1, join="inner", keys=["run", "other"])
    differences = (both["run"] - both["other"]).dropna()
    scans = [differences.idxmin(), differences.idxmax()] if len(differences) else ["", ""]
    compared = paired(both["run"].to_numpy(float), both["other"].to_numpy(float))
    return asdict(compared) | dict(zip(("lowest_scan", "highest_scan"), scans, strict=True))


def _interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile bootstrap of the mean, as scipy.stats.bootstrap has it, with draws made once for all metrics."""
    if len(differences) < 2:
        return float("nan"), float("nan")
    means = _draws(len(differences)) @ differences / len(differences)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _draws(scans: int) -> NDArray[np.float64]:
    """How often each scan is drawn in each resample: (RESAMPLES, scans)."""
    chosen = np.random.default_rng(SEED).integers(0, scans, (RESAMPLES, scans))
    counts = np.zeros((RESAMPLES, scans))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], chosen), 1)
    return counts
