"""One picture of a volume or an X-ray, as a radiologist hangs it, with its sides named."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
import numpy as np
from numpy.typing import NDArray

from dx2ct.data.planes import to_plane

CT_WINDOW_HU = (-1000.0, 600.0)  # lung and soft tissue together
ERROR_WINDOW_HU = (0.0, 500.0)
# At the left and at the right of a plane or a view; of an oblique view nothing is said.
SIDES = {"axial": "RL", "coronal": "RL", "sagittal": "AP", "pa": "RL", "lateral": "AP"}
PANEL_IN = 1.8

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Case:
    """One scan to show: X-rays by view (row, column), line integrals; the truth and each run's volume, (z, y, x) HU."""

    scan: str
    xrays: Mapping[str, Array]
    truth: Array
    volumes: Mapping[str, Array]


def middle(volume: Array, plane: str) -> NDArray[np.float64]:
    """The middle slice of a plane, (row, column) HU."""
    stack = to_plane(volume, plane)
    return np.asarray(stack[len(stack) // 2], dtype=np.float64)


def show(axes: Axes, image: Array, kind: str, window: tuple[float, float], colours: str, title: str) -> None:
    """Draw one picture; kind: the plane or the view that it is of, which names its sides; window: black and white."""
    axes.imshow(image, cmap=colours, vmin=window[0], vmax=window[1], interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=8)
    for x, side in zip((0.03, 0.97), SIDES.get(kind, "  "), strict=True):
        place = "left" if x < 0.5 else "right"
        text = axes.text(x, 0.97, side, transform=axes.transAxes, color="gold", fontsize=8, ha=place, va="top")
        text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])
