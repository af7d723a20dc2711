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

from drr.errors import InputError
from drr.files import replacing
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.data.scans import read_stack
from dx2ct.metrics import body_mask
from dx2ct.scoring.run import write_table

BINS = 20
Array = NDArray[Any]


def calibrate(deviation: Array, error: Array, bins: int = BINS) -> pd.DataFrame:
    """One row a bin of equally many voxels, from the smallest deviation to the largest.

    deviation, error: (voxel,) HU. Columns: voxels, deviation_hu and error_hu (root mean squares), mae_hu.
    """
    order = np.argsort(deviation, kind="stable")
    rows = []
    for chosen in np.array_split(order, bins):
        stated, found = deviation[chosen].astype(np.float64), error[chosen].astype(np.float64)
        rows.append(
            {
                "voxels": len(chosen),
                "deviation_hu": float(np.sqrt(np.mean(stated**2))),
                "error_hu": float(np.sqrt(np.mean(found**2))),
                "mae_hu": float(np.mean(np.abs(found))),
            }
        )
    return pd.DataFrame(rows)


def rank_correlation(deviation: Array, error: Array) -> float:
    """Spearman's, of the deviation with the absolute error; NaN where one of them is constant."""
    if np.ptp(deviation) == 0 or np.ptp(np.abs(error)) == 0:
        return float("nan")
    return float(spearmanr(deviation, np.abs(error)).statistic)


def write_calibration(run: Path, scans: Sequence[str], data: Path, output: Path) -> None:
    """Write the table, one row a scan and bin with the scan's rank correlation, and the figure, output.png.

    Raises InputError for a scan without a deviation: the run was reconstructed with one sample.
    """
    tables = []
    for scan in scans:
        truth = np.asarray(read_stack(data, scan, "axial"))
        mean, deviation = (
            _read(path, truth.shape) for path in (layout.reconstruction(run, scan), layout.deviation(run, scan))
        )
        body = body_mask(truth)
        error = mean.astype(np.float32)[body] - truth[body]
        table = calibrate(deviation[body], error)
        table.insert(0, "bin", range(len(table)))
        table.insert(0, "spearman", rank_correlation(deviation[body], error))
        table.insert(0, "scan", scan)
        tables.append(table)
    whole = pd.concat(tables)
    write_table(whole, output)
    _draw(whole, output.with_suffix(".png"))


def _read(path: Path, shape: tuple[int, ...]) -> Array:
    if not path.exists():
        raise InputError(f"{path}: missing: reconstruct the run with reconstruct.samples of 2 or more")
    array = read_volume(path).array
    if array.shape != shape:
        raise InputError(f"{path}: shape {array.shape} is not the truth's {shape}: run reconstruct and slices again")
    return array


def _draw(table: pd.DataFrame, output: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for scan, rows in table.groupby("scan"):
        label = f"{scan}, rank correlation {rows['spearman'].iloc[0]:.2f}"
        axes.plot(rows["deviation_hu"], rows["error_hu"], ".-", linewidth=1, label=label)
    end = float(table[["deviation_hu", "error_hu"]].max().max()) * 1.05
    axes.plot([0, end], [0, end], color="0.6", linewidth=1, linestyle="--", label="stated = found")
    axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
    axes.set_xlabel("stated: deviation of the samples, HU (r.m.s. of a bin)")
    axes.set_ylabel("found: error of their mean, HU (r.m.s. of the bin)")
    axes.legend(fontsize="small")
    with replacing(output) as part:
        figure.savefig(part, dpi=120)
