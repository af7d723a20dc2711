"""How much of a nodule a reconstruction keeps: its contrast to the lung around it, there and in the CT."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drr.volume import Volume
from dx2ct.metrics.scale import Array
from dx2ct.metrics.tissue import LUNG_HU

VISIBLE_HU = 50.0  # a contrast below this in the CT itself leaves nothing to keep
LEAST_VOXELS = 8  # of lung around a nodule
SHELL_VOXELS = 2.0  # thickness of what is taken for its surroundings


@dataclass(frozen=True)
class Nodule:
    """A sphere: centre (x, y, z) in the patient's LPS frame and diameter, mm."""

    centre_mm: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True)
class Kept:
    """Contrast of a nodule in the CT and in the reconstruction, HU, and the fraction kept; NaN: not measurable."""

    contrast_truth_hu: float
    contrast_hu: float
    kept: float


def retention(truth: Array, image: Volume, nodule: Nodule) -> Kept:
    """Contrast: mean HU over the nodule minus mean HU of the lung around it, the same voxels in both volumes.

    truth: (z, y, x) HU on the image's grid. A voxel counts as part of the nodule by how much of it the sphere covers
    (linear over a voxel at its surface). Around: the voxels below -500 HU in the truth, in a shell of two voxels that
    begins one voxel outside. kept is image over truth: 1 all, 0 nothing, below 0 the opposite. NaN where the nodule
    lies outside the grid or has no lung around it, and kept where the truth's contrast is below 50 HU on this grid.
    """
    around, voxel_mm = _distances_mm(image, nodule.centre_mm), max(image.spacing_mm)
    radius = nodule.diameter_mm / 2
    inside = np.clip((radius - around) / voxel_mm + 0.5, 0, 1)
    inner = radius + voxel_mm
    lung = (around > inner) & (around <= inner + SHELL_VOXELS * voxel_mm) & np.less(truth, LUNG_HU)
    if not _is_on_grid(image, nodule.centre_mm) or np.count_nonzero(lung) < LEAST_VOXELS or not inside.any():
        return Kept(*[float("nan")] * 3)
    contrast, truth_contrast = (
        float(np.average(volume, weights=inside) - volume[lung].mean(dtype=float)) for volume in (image.array, truth)
    )
    kept = contrast / truth_contrast if truth_contrast >= VISIBLE_HU else float("nan")
    return Kept(truth_contrast, contrast, kept)


def _distances_mm(grid: Volume, centre_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Distance of every voxel's centre, (z, y, x)."""
    axes = zip(grid.array.shape[::-1], grid.origin_mm, grid.spacing_mm, centre_mm, strict=True)
    x, y, z = [(origin + np.arange(size) * step - at) ** 2 for size, origin, step, at in axes]
    return np.asarray(np.sqrt(z[:, None, None] + y[:, None] + x))


def _is_on_grid(grid: Volume, centre_mm: tuple[float, float, float]) -> bool:
    axes = zip(grid.array.shape[::-1], grid.origin_mm, grid.spacing_mm, centre_mm, strict=True)
    return all(-0.5 <= (at - origin) / step <= size - 0.5 for size, origin, step, at in axes)
