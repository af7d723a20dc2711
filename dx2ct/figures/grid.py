"""Figure 3 of the paper: methods against the truth in three planes; and the same of their errors."""

from collections.abc import Mapping

from matplotlib.figure import Figure
import numpy as np

from dx2ct.data.planes import PLANES
from dx2ct.figures.panels import Array, CT_WINDOW_HU, middle, PANEL_IN, show

SIGNED_WINDOW_HU = (-500.0, 500.0)


def grid_figure(scan: str, truth: Array, volumes: Mapping[str, Array]) -> Figure:
    """Middle axial, coronal and sagittal slices: the CT in the first column, then one column a run. (z, y, x) HU."""
    columns = {"CT": truth, **volumes}
    return _figure(scan, columns, CT_WINDOW_HU, "gray", "HU")


def error_figure(scan: str, truth: Array, volumes: Mapping[str, Array]) -> Figure:
    """The same slices of run minus CT: red is too dense, blue not dense enough."""
    errors = {run: np.asarray(volume, np.float32) - np.asarray(truth, np.float32) for run, volume in volumes.items()}
    return _figure(scan, errors, SIGNED_WINDOW_HU, "RdBu_r", "run - CT, HU")


def _figure(scan: str, columns: Mapping[str, Array], window: tuple[float, float], colours: str, label: str) -> Figure:
    figure = Figure(figsize=(len(columns) * PANEL_IN + 0.9, 3 * PANEL_IN + 0.5), layout="constrained")
    figure.suptitle(scan, fontsize=9)
    grid = figure.subplots(3, len(columns), squeeze=False)
    for row, plane in zip(grid, PLANES, strict=True):
        for axes, (name, volume) in zip(row, columns.items(), strict=True):
            show(axes, middle(volume, plane), plane, window, colours, name if plane == PLANES[0] else "")
        row[0].set_ylabel(plane, fontsize=8)
    bar = figure.colorbar(grid[0, 0].images[0], ax=grid, shrink=0.6, aspect=30)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
