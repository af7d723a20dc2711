"""What a style makes of X-rays and of films, and what runs make of X-rays in the style of films (figure 4)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dx2ct.figures.panels import Array, CT_WINDOW_HU, middle, PANEL_IN, show

COLUMNS = ("X-ray", "in the style of films", "and back", "film", "in the style of X-rays", "and back")


ORDER = ("coronal", "sagittal", "axial")


def film_figure(scan: str, xrays: Mapping[str, Array], volumes: Mapping[str, Array]) -> Figure:
    """Figure 4 of the paper: X-rays in the style of films, (row, column) in [0, 1] by view, down the first column; then
    a column for each run, (z, y, x) HU: the middle coronal, sagittal and axial slice."""
    figure = Figure(figsize=((1 + len(volumes)) * PANEL_IN, len(ORDER) * PANEL_IN + 0.6), layout="constrained")
    figure.suptitle(f"{scan}: X-rays translated by CycleGAN. Research use only.", fontsize=9)
    grid = figure.subplots(len(ORDER), 1 + len(volumes), squeeze=False)
    for axes in grid[:, 0]:
        axes.set_axis_off()
    for axes, (view, image) in zip(grid[:, 0], xrays.items(), strict=False):
        axes.set_axis_on()
        show(axes, image, view, (0.0, 1.0), "gray", view)
    for column, (run, volume) in zip(grid[:, 1:].T, volumes.items(), strict=True):
        for axes, plane in zip(column, ORDER, strict=True):
            show(axes, middle(volume, plane), plane, CT_WINDOW_HU, "gray", f"{run}, {plane}")
    return figure


def style_figure(rows: Sequence[Sequence[Array]], view: str, caption: str) -> Figure:
    """One row of six images, (row, column) in [0, 1], for each X-ray and film: they are no pairs."""
    figure = Figure(figsize=(len(COLUMNS) * PANEL_IN, len(rows) * PANEL_IN + 0.8), layout="constrained")
    figure.suptitle(caption, fontsize=9)
    grid = figure.subplots(len(rows), len(COLUMNS), squeeze=False)
    for number, (line, images) in enumerate(zip(grid, rows, strict=True)):
        for axes, image, title in zip(line, images, COLUMNS, strict=True):
            show(axes, image, view, (0.0, 1.0), "gray", "" if number else title)
    return figure
