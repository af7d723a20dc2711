"""Draw docs/views.png: the named views of a CT, tube and detector in the patient's frame, and the lettered DRRs.

    python docs/views.py CT [-o docs/views.png]

The letters come from the geometry alone: each edge of the image is named after the patient direction it lies towards.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
import numpy as np

from drr import render
from drr.ct.read import read_ct
from drr.geometry import PRESETS, View
from drr.image import grey_levels

NAMED = ["pa", "ap", "right_lateral", "left_lateral"]
LETTERS = {0: "RL", 1: "AP", 2: "FH"}  # towards negative and positive x, y, z of LPS


def letter(direction: np.ndarray) -> str:
    """The patient side that a direction points to: R, L, A, P, F (feet) or H."""
    axis = int(np.abs(direction).argmax())
    return LETTERS[axis][int(direction[axis] > 0)]


def draw_frame(axes: plt.Axes, view: View, isocentre: np.ndarray, half_mm: np.ndarray) -> None:
    """Tube, rays and detector from above (seen from the head: x to the right, y down)."""
    pixels = view.pixel_centres_mm()
    source = np.array(view.source_mm)
    ends = pixels[view.rows // 2, [0, -1]]
    x, y = isocentre[:2]
    axes.add_patch(plt.Rectangle((x - half_mm[0], y - half_mm[1]), *(2 * half_mm[:2]), fill=False, color="0.5"))
    axes.annotate("R", (x - half_mm[0], y), ha="right", va="center", color="0.4")
    axes.annotate("L", (x + half_mm[0], y), ha="left", va="center", color="0.4")
    axes.annotate("A", (x, y - half_mm[1]), ha="center", va="bottom", color="0.4")
    axes.annotate("P", (x, y + half_mm[1]), ha="center", va="top", color="0.4")
    for end in ends:
        axes.plot([source[0], end[0]], [source[1], end[1]], color="tab:orange", lw=0.8)
    axes.plot(ends[:, 0], ends[:, 1], color="tab:blue", lw=3)
    axes.plot(*source[:2], "o", color="tab:orange")
    axes.annotate("column 0", ends[0, :2], color="tab:blue", fontsize=8, ha="center", va="center")
    axes.set(aspect="equal", xlim=(x - 700, x + 700), ylim=(y + 700, y - 700), xlabel="x (mm)", ylabel="y (mm)")


def draw_image(axes: plt.Axes, view: View, image: np.ndarray) -> None:
    """The DRR with the letter of the patient side at each edge."""
    axes.imshow(grey_levels(image), cmap="gray")
    column, row = np.array(view.column_step_mm), np.array(view.row_step_mm)
    place = {
        "left": (0.03, 0.5, -column),
        "right": (0.97, 0.5, column),
        "top": (0.5, 0.96, -row),
        "low": (0.5, 0.04, row),
    }
    for x, y, direction in place.values():
        axes.text(
            x, y, letter(direction), transform=axes.transAxes, color="yellow", ha="center", va="center", weight="bold"
        )
    axes.set_axis_off()


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ct", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("views.png"))
    options = parser.parse_args()
    volume, beam = read_ct(options.ct), PRESETS["x2ct"]
    isocentre = np.array(volume.centre_mm)
    half_mm = np.array(volume.array.shape[::-1]) * volume.spacing_mm / 2
    views = {name: beam.view(name, volume.centre_mm) for name in NAMED}
    views["gantry 45, tilt 0"] = beam.rotated(45, 0, volume.centre_mm)
    images = render(volume, list(views.values()))
    figure, axes = plt.subplots(2, len(views), figsize=(3.1 * len(views), 6.4), layout="constrained")
    for (name, view), image, (above, below) in zip(views.items(), images, axes.T, strict=True):
        draw_frame(above, view, isocentre, half_mm)
        draw_image(below, view, image)
        above.set_title(name)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
