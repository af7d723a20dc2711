"""Every scan's PSNR, one line of points a run."""

from collections.abc import Collection, Mapping

from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from dx2ct.figures.panels import PANEL_IN

MARKED, OTHER = "tab:orange", "tab:blue"


def spread_figure(scores: Mapping[str, "pd.Series[float]"], marked: Collection[str] = ()) -> Figure:
    """{run: psnr_db by scan}, dB, the best run at the top: a point a scan, and a bar at the mean.

    marked: runs of another colour. What is not finite is not drawn.
    """
    order = sorted(scores, key=lambda run: scores[run].mean())
    figure = Figure(figsize=(5 * PANEL_IN, 0.8 + 0.32 * len(order)), layout="constrained")
    axes = figure.subplots()
    for place, run in enumerate(order):
        values = scores[run][np.isfinite(scores[run])]
        colour = MARKED if run in marked else OTHER
        axes.plot(values, np.full(len(values), place), "o", color=colour, markersize=4, alpha=0.5)
        axes.plot([values.mean()], [place], "|", color="black", markersize=13, markeredgewidth=2)
    axes.set_yticks(np.arange(len(order)), order)
    for label, run in zip(axes.get_yticklabels(), order, strict=True):
        label.set_fontweight("bold" if run in marked else "normal")
    axes.set(xlabel="PSNR, dB; a point a scan, the bar the mean", ylim=(-0.7, len(order) - 0.3))
    axes.grid(alpha=0.3)
    return figure
