"""Pictures of a prediction: what the network sees, and a contact sheet of the result."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

from drr.volume import Volume
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.figures.panels import CT_WINDOW_HU, show

COLUMNS = 6
PANEL_IN = 1.9
DISCLAIMER = "Research use only. Not a medical device. What the X-rays do not show is invented."
Image = NDArray[np.generic]


def write_preview(images: Mapping[str, Image], seen: Mapping[str, Image], path: Path) -> None:
    """One row a view: the framed X-ray, and beside it the pixels that the network is given."""
    figure = Figure(figsize=(8, 4.2 * len(images) + 0.4), layout="constrained")
    grid = figure.subplots(len(images), 2, squeeze=False)
    for axes, view in zip(grid, images, strict=True):
        low, high = float(np.min(images[view])), float(np.max(images[view]))
        _show(axes[0], images[view], view, (low, high), f"{view}, framed, {len(images[view])} pixels a side")
        _show(axes[1], seen[view], view, (0, 1), f"what the network sees, {len(seen[view])} pixels a side")
    figure.suptitle("Letters: where the patient's sides must lie. Bone must be bright.", fontsize=9)
    _save(figure, path)


def write_sheet(volume: Volume, seen: Mapping[str, Image], path: Path) -> None:
    """The X-rays as the network saw them, and evenly spaced slices of every plane, window -1000 to 600 HU."""
    figure = Figure(figsize=(COLUMNS * PANEL_IN, (1 + len(PLANES)) * PANEL_IN + 0.5), layout="constrained")
    grid = figure.subplots(1 + len(PLANES), COLUMNS, squeeze=False)
    for axes in grid[0]:
        axes.set_axis_off()
    for axes, (view, image) in zip(grid[0], seen.items(), strict=False):
        axes.set_axis_on()
        _show(axes, image, view, (0, 1), view)
    for row, plane in zip(grid[1:], PLANES, strict=True):
        stack = to_plane(volume.array, plane)
        numbers = ((np.arange(COLUMNS) + 0.5) / COLUMNS * len(stack)).astype(int)
        for axes, number in zip(row, numbers, strict=True):
            _show(axes, stack[number], plane, CT_WINDOW_HU, f"{plane}, {number + 1} of {len(stack)}")
    figure.suptitle(f"SYNTHESIZED. {DISCLAIMER}", fontsize=9)
    _save(figure, path)


def _show(axes: Axes, image: Image, kind: str, window: tuple[float, float], title: str) -> None:
    show(axes, image, kind, window, "gray", title)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure).print_figure(str(path), dpi=110, format="png")
