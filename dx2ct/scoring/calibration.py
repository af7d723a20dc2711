"""Does the deviation of a run's samples predict the error of their mean? RUN/calibration.csv and a figure beside it.

Voxels of the body are sorted by the stated deviation into bins of equal numbers. Were samples and truth drawn from one
distribution, the squared error of the mean of K samples would be their variance times 1 + 1/K in every bin.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from scipy.stats import spearmanr

from drr.files import replacing
from drr.progress import each
from dx2ct.scoring.deviation import body_errors, coverage, DeviationScale, ONE, read_scale, TWO
from dx2ct.scoring.run import write_table

BINS = 20
CALIBRATED = ("calibrated_hu", "calibrated_one", "calibrated_two")
Array = NDArray[Any]


def calibrate(deviation: Array, error: Array, bins: int = BINS, scale: DeviationScale | None = None) -> pd.DataFrame:
    """One row a bin of equally many voxels, from the smallest deviation to the largest.

    deviation, error: (voxel,) HU. Columns: voxels, deviation_hu and error_hu (root mean squares), mae_hu; within_one
    and within_two, shares of the errors within one and two deviations. With a scale the same of the scaled deviation:
    calibrated_hu, calibrated_one, calibrated_two; without one they are empty.
    """
    order = np.argsort(deviation, kind="stable")
    rows = []
    for chosen in np.array_split(order, bins):
        stated, found = deviation[chosen].astype(np.float64), error[chosen].astype(np.float64)
        before = coverage(stated, found)
        row = {
            "voxels": len(chosen),
            "deviation_hu": float(np.sqrt(np.mean(stated**2))),
            "error_hu": float(np.sqrt(np.mean(found**2))),
            "mae_hu": float(np.mean(np.abs(found))),
            "within_one": before.one,
            "within_two": before.two,
            **dict.fromkeys(CALIBRATED, float("nan")),
        }
        if scale is not None:
            wider = scale.applied(stated)
            after = coverage(wider, found)
            values = (float(np.sqrt(np.mean(wider**2))), after.one, after.two)
            row |= dict(zip(CALIBRATED, values, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def rank_correlation(deviation: Array, error: Array) -> float:
    """Spearman's, of the deviation with the absolute error; NaN where one of them is constant."""
    if np.ptp(deviation) == 0 or np.ptp(np.abs(error)) == 0:
        return float("nan")
    return float(spearmanr(deviation, np.abs(error)).statistic)


def write_calibration(run: Path, scans: Sequence[str], data: Path, output: Path, scale: Path | None = None) -> None:
    """Write the table, one row a scan and bin with the scan's rank correlation, and the figure, output.png.

    scale: the run's deviation_scale.json; the columns scale, floor_hu and learnt_on (scans) say what it holds.
    Raises InputError for a scan without a deviation: the run was reconstructed with one sample.
    """
    learnt = read_scale(scale) if scale else None
    tables = []
    for scan in each(scans, "calibration", "scan"):
        deviation, error = body_errors(run, scan, data)
        table = calibrate(deviation, error, scale=learnt)
        table.insert(0, "bin", range(len(table)))
        table.insert(0, "spearman", rank_correlation(deviation, error))
        table.insert(0, "scan", scan)
        tables.append(table)
    whole = pd.concat(tables)
    whole["scale"] = learnt.scale if learnt else float("nan")
    whole["floor_hu"] = learnt.floor_hu if learnt else float("nan")
    whole["learnt_on"] = " ".join(learnt.scans) if learnt else ""
    write_table(whole, output)
    _draw(whole, output.with_suffix(".png"), learnt)


def _draw(table: pd.DataFrame, output: Path, scale: DeviationScale | None) -> None:
    """The samples' deviation against the error and, with a scale, the same of the calibrated one beside it."""
    from matplotlib.figure import Figure

    panels = [("deviation_hu", "within", "deviation of the samples")]
    if scale is not None:
        panels.append(
            ("calibrated_hu", "calibrated", f"the same, times {scale.scale:.2f}, floor {scale.floor_hu:.0f} HU")
        )
    figure = Figure(figsize=(5 * len(panels), 5.3), layout="constrained")
    for axes, (stated, covered, title) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for scan, rows in table.groupby("scan"):
            label = f"{scan}, rank correlation {rows['spearman'].iloc[0]:.2f}"
            axes.plot(rows[stated], rows["error_hu"], ".-", linewidth=1, label=label)
        end = float(table[[stated, "error_hu"]].max().max()) * 1.05
        axes.plot([0, end], [0, end], color="0.6", linewidth=1, linestyle="--", label="stated = found")
        one, two = (100 * np.average(table[f"{covered}_{many}"], weights=table["voxels"]) for many in ("one", "two"))
        axes.set_title(
            f"{title}\nwithin one {one:.0f} % of the errors, within two {two:.0f} %"
            f" (normal: {100 * ONE:.0f} and {100 * TWO:.0f})",
            fontsize="small",
        )
        axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
        axes.set_xlabel("stated: deviation, HU (r.m.s. of a bin)")
        axes.set_ylabel("found: error of their mean, HU (r.m.s. of the bin)")
        axes.legend(fontsize="small")
    with replacing(output) as part:
        figure.savefig(part, dpi=120)
