"""Pictures of the report: X-rays, truth, reconstructions and their errors; training loss."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke
import numpy as np
from numpy.typing import NDArray

from dx2ct.data.planes import PLANES, to_plane

CT_WINDOW_HU = (-1000.0, 600.0)  # lung and soft tissue together
ERROR_WINDOW_HU = (0.0, 500.0)
FILM_PERCENTILES = (1.0, 99.5)
VIEWS = {"pa": "X-ray, PA", "lateral": "X-ray, lateral"}
SIDES = {"axial": "RL", "coronal": "RL", "sagittal": "AP", "pa": "RL", "lateral": "AP"}  # at the left, at the right
PANEL_IN = 1.8

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Case:
    """One scan to show: X-rays by view (row, column), line integrals; the truth and each run's volume, (z, y, x) HU."""

    scan: str
    films: Mapping[str, Array]
    truth: Array
    volumes: Mapping[str, Array]


def comparison_figure(cases: list[Case]) -> Figure:
    """Middle slices of every case: truth and X-rays in the first row, then one row a run, with its absolute error."""
    heights = [1 + len(case.volumes) for case in cases]
    figure = Figure(figsize=(6 * PANEL_IN, sum(heights) * PANEL_IN + 0.45 * len(cases)), layout="constrained")
    parts = figure.subfigures(len(cases), 1, squeeze=False, height_ratios=[rows + 0.25 for rows in heights])[:, 0]
    for part, case in zip(parts, cases, strict=True):
        _draw_case(part, case)
    return figure


def loss_figure(curves: Mapping[str, tuple[Array, Array]]) -> Figure:
    """Training loss over steps, one line a run: {run: (steps, losses)}; the loss axis is logarithmic."""
    figure = Figure(figsize=(6 * PANEL_IN, 3.4), layout="constrained")
    axes = figure.subplots()
    for run, (steps, losses) in curves.items():
        axes.plot(steps, losses, label=run, linewidth=1.2)
    axes.set(yscale="log", xlabel="step", ylabel="training loss")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    return figure


def _draw_case(part: SubFigure, case: Case) -> None:
    part.suptitle(case.scan, fontweight="bold")
    grid = part.subplots(1 + len(case.volumes), 6, squeeze=False)
    truth = {plane: _middle(case.truth, plane) for plane in PLANES}
    for axes, (plane, image) in zip(grid[0], truth.items(), strict=False):
        _show(axes, image, plane, CT_WINDOW_HU, "gray", f"{plane}")
    for axes, view in zip(grid[0, 3:5], VIEWS, strict=True):
        low, high = np.percentile(np.asarray(case.films[view], dtype=float), FILM_PERCENTILES)
        _show(axes, case.films[view], view, (low, high), "gray", VIEWS[view])
    grid[0, 0].set_ylabel("CT")
    _draw_scales(grid[0, 5])
    for row, (run, volume) in zip(grid[1:], case.volumes.items(), strict=True):
        for column, plane in enumerate(PLANES):
            image = _middle(volume, plane)
            error = np.abs(image - truth[plane])
            _show(row[column], image, plane, CT_WINDOW_HU, "gray", "")
            _show(row[column + 3], error, plane, ERROR_WINDOW_HU, "magma", f"|error|, {plane}")
        row[0].set_ylabel(run)


def _middle(volume: Array, plane: str) -> NDArray[np.float64]:
    stack = to_plane(volume, plane)
    return np.asarray(stack[len(stack) // 2], dtype=np.float64)


def _show(axes: Axes, image: Array, kind: str, window: tuple[float, float], colours: str, title: str) -> None:
    axes.imshow(image, cmap=colours, vmin=window[0], vmax=window[1], interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=8)
    for x, side in zip((0.03, 0.97), SIDES[kind], strict=True):
        place = "left" if x < 0.5 else "right"
        text = axes.text(x, 0.97, side, transform=axes.transAxes, color="gold", fontsize=8, ha=place, va="top")
        text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])


def _draw_scales(axes: Axes) -> None:
    axes.set_axis_off()
    scales = [("gray", CT_WINDOW_HU, "CT, HU"), ("magma", ERROR_WINDOW_HU, "|error|, HU")]
    for bottom, (colours, window, label) in zip((0.68, 0.18), scales, strict=True):
        bar = ScalarMappable(Normalize(*window), colours)
        place = axes.inset_axes((0.15, bottom, 0.7, 0.12))
        axes.figure.colorbar(bar, cax=place, orientation="horizontal", ticks=window)
        place.set_title(label, fontsize=8)
        place.tick_params(labelsize=7)
