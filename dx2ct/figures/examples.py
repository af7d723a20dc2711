"""What a training sees: X-rays and middle slices of some of its examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from dx2ct.data.planes import PLANES
from dx2ct.figures.panels import Array, CT_WINDOW_HU, PANEL_IN, show

SIDE_BY_SIDE = 2  # examples in a row of the figure


@dataclass(frozen=True)
class Example:
    """title; xrays by view, (row, column) in [0, 1]; stacks by plane, (slice, row, column) HU."""

    title: str
    xrays: Mapping[str, Array]
    stacks: Mapping[str, Array]


def examples_figure(examples: Sequence[Example], caption: str) -> Figure:
    """Two examples in a row: their X-rays, then the middle slice of each plane."""
    panels = len(examples[0].xrays) + len(PLANES)
    rows, columns = -(-len(examples) // SIDE_BY_SIDE), SIDE_BY_SIDE * panels
    figure = Figure(figsize=(columns * PANEL_IN, rows * (PANEL_IN + 0.2) + 0.4), layout="constrained")
    figure.suptitle(caption, fontsize=10)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, example in enumerate(examples):
        row, first = grid[number // SIDE_BY_SIDE], number % SIDE_BY_SIDE * panels
        pictures = [(view, image, (0.0, 1.0)) for view, image in example.xrays.items()]
        pictures += [(plane, stack[len(stack) // 2], CT_WINDOW_HU) for plane, stack in example.stacks.items()]
        for axes, (kind, image, window) in zip(row[first:], pictures, strict=False):
            show(axes, image, kind, window, "gray", example.title if kind == pictures[0][0] else kind)
            axes.set_axis_on()
    return figure
