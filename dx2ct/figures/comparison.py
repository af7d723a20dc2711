"""X-rays, truth, reconstructions and their errors of some scans."""

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
import numpy as np

from dx2ct.data.planes import PLANES
from dx2ct.figures.panels import Case, CT_WINDOW_HU, ERROR_WINDOW_HU, middle, PANEL_IN, show

XRAY_PERCENTILES = (1.0, 99.5)
PLAIN = 2 * len(PLANES)  # columns of a run: slices and errors


def comparison_figure(cases: list[Case]) -> Figure:
    """Middle slices of every case: truth and X-rays in the first row, then one row a run, with its absolute error."""
    heights = [1 + len(case.volumes) for case in cases]
    width = max(PLAIN, *(len(PLANES) + len(case.xrays) + 1 for case in cases))
    figure = Figure(figsize=(width * PANEL_IN, sum(heights) * PANEL_IN + 0.45 * len(cases)), layout="constrained")
    parts = figure.subfigures(len(cases), 1, squeeze=False, height_ratios=[rows + 0.25 for rows in heights])[:, 0]
    for part, case in zip(parts, cases, strict=True):
        _draw_case(part, case, width)
    return figure


def _draw_case(part: SubFigure, case: Case, width: int) -> None:
    part.suptitle(case.scan, fontweight="bold")
    grid = part.subplots(1 + len(case.volumes), width, squeeze=False)
    for axes in (*grid[0, len(PLANES) + len(case.xrays) : -1], *grid[1:, PLAIN:].flat):
        axes.set_axis_off()
    truth = {plane: middle(case.truth, plane) for plane in PLANES}
    for axes, (plane, image) in zip(grid[0], truth.items(), strict=False):
        show(axes, image, plane, CT_WINDOW_HU, "gray", f"{plane}")
    for axes, (view, xray) in zip(grid[0, len(PLANES) :], case.xrays.items(), strict=False):
        low, high = np.percentile(np.asarray(xray, dtype=float), XRAY_PERCENTILES)
        show(axes, xray, view, (low, high), "gray", f"X-ray, {view}")
    grid[0, 0].set_ylabel("CT")
    _draw_scales(grid[0, -1])
    for row, (run, volume) in zip(grid[1:], case.volumes.items(), strict=True):
        for column, plane in enumerate(PLANES):
            image = middle(volume, plane)
            error = np.abs(image - truth[plane])
            show(row[column], image, plane, CT_WINDOW_HU, "gray", "")
            show(row[column + 3], error, plane, ERROR_WINDOW_HU, "magma", f"|error|, {plane}")
        row[0].set_ylabel(run)


def _draw_scales(axes: Axes) -> None:
    axes.set_axis_off()
    scales = [("gray", CT_WINDOW_HU, "CT, HU"), ("magma", ERROR_WINDOW_HU, "|error|, HU")]
    for bottom, (colours, window, label) in zip((0.68, 0.18), scales, strict=True):
        bar = ScalarMappable(Normalize(*window), colours)
        place = axes.inset_axes((0.15, bottom, 0.7, 0.12))
        axes.figure.colorbar(bar, cax=place, orientation="horizontal", ticks=window)
        place.set_title(label, fontsize=8)
        place.tick_params(labelsize=7)
