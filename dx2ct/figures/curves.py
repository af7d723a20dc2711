"""Curves and points: training loss, PSNR along the body, PSNR of every scan."""

from collections.abc import Mapping

from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from dx2ct.data.planes import PLANES
from dx2ct.figures.panels import Array, PANEL_IN

ENDS = {"axial": "feet to head", "coronal": "front to back", "sagittal": "right to left"}
WIDTH_IN = 6 * PANEL_IN


def loss_figure(curves: Mapping[str, tuple[Array, Array]]) -> Figure:
    """Training loss over steps, one line a run: {run: (steps, losses)}; the loss axis is logarithmic."""
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    axes = figure.subplots()
    for run, (steps, losses) in curves.items():
        axes.plot(steps, losses, label=run, linewidth=1.2)
    axes.set(yscale="log", xlabel="step", ylabel="training loss")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    return figure


def slices_figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """PSNR by slice index in each plane, one line a run with the quartiles of its scans; {run: its slices.csv}.

    Slices without any error have no PSNR and are left out.
    """
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    for axes, plane in zip(figure.subplots(1, 3, sharey=True), PLANES, strict=True):
        for run, table in tables.items():
            finite = table[(table["plane"] == plane) & np.isfinite(table["psnr_db"])]
            if finite.empty:  # equal volumes
                continue
            quartiles = finite.groupby("slice")["psnr_db"].quantile([0.25, 0.5, 0.75]).unstack()
            (line,) = axes.plot(quartiles.index, quartiles[0.5], label=run, linewidth=1.2)
            axes.fill_between(
                quartiles.index, quartiles[0.25], quartiles[0.75], color=line.get_color(), alpha=0.1, linewidth=0
            )
        axes.set(title=plane, xlabel=f"slice, {ENDS[plane]}")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("PSNR, dB")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    return figure


def scatter_figure(scores: Mapping[str, "pd.Series[float]"]) -> Figure:
    """PSNR of every scan, one row of points a run; the scans stand in one order, worst first by the mean of the runs.

    scores: {run: psnr_db by scan}, in dB. What is not finite is not drawn.
    """
    table = pd.DataFrame(dict(scores)).replace([np.inf, -np.inf], np.nan)
    table = table.loc[table.mean(axis=1).sort_values(kind="stable").index]
    figure = Figure(figsize=(WIDTH_IN, 3.6), layout="constrained")
    axes = figure.subplots()
    for run in table:
        axes.plot(np.arange(len(table)), table[run], "o", label=run, markersize=4 if len(table) < 40 else 2.5)
    few = len(table) <= 30
    axes.set(xlabel="scans" if few else "scans, by the mean of the runs", ylabel="PSNR of the fused volume, dB")
    if few:
        axes.set_xticks(np.arange(len(table)), table.index, rotation=60, ha="right", fontsize=7)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure
