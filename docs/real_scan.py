"""Draw docs/real_scan.png: the X-rays and the middle slices of one prepared scan, lettered.

    python docs/real_scan.py DATA SCAN docs/real_scan.png

DATA is the workflow's data folder. The committed picture is LIDC-IDRI-0001 (CC BY 3.0, TCIA, Armato et al. 2015).
"""

from pathlib import Path
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk

from drr.volume import read_volume
from dx2ct.data.planes import PLANES, to_plane

# left and right edge, top and bottom edge
LETTERS = {"pa": "RLHF", "lateral": "APHF", "axial": "RLAP", "coronal": "RLHF", "sagittal": "APHF"}


def draw(data: Path, scan: str, output: Path) -> None:
    """Write the picture."""
    pictures = {
        view: (sitk.GetArrayFromImage(sitk.ReadImage(str(data / "xrays" / scan / f"{view}.mha"))), None)
        for view in ("pa", "lateral")
    }
    volume = read_volume(data / "volumes" / f"{scan}.mha").array
    for plane in PLANES:
        stack = to_plane(volume, plane)
        pictures[plane] = (stack[len(stack) // 2], (-1000, 400))
    figure, axes = plt.subplots(1, 5, figsize=(15, 3.3), facecolor="black")
    for axis, (name, (pixels, window)) in zip(axes, pictures.items(), strict=True):
        low, high = window or np.percentile(pixels, (1, 99.8))
        axis.imshow(pixels, cmap="gray", vmin=low, vmax=high)
        axis.set_title(name if window else f"{name.replace('pa', 'PA')} X-ray", color="white")
        axis.axis("off")
        places = [(0.03, 0.5), (0.97, 0.5), (0.5, 0.95), (0.5, 0.05)]
        for letter, (x, y) in zip(LETTERS[name], places, strict=True):
            axis.text(x, y, letter, transform=axis.transAxes, color="gold", ha="center", va="center", weight="bold")
    figure.tight_layout()
    figure.savefig(output, dpi=80, facecolor="black")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
