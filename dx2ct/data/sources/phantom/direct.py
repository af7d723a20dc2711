"""A varied phantom straight on the grid that a method works on: any number of them, without files."""

import numpy as np
from numpy.typing import NDArray

from drr.volume import AIR_HU
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.sources.phantom.anatomy import Anatomy, draw_varied, render

Array = NDArray[np.float32]


def draw(seed: int, size: int, spacing_mm: float, supersample: float = 2) -> NDArray[np.int16]:
    """HU (z, y, x), LPS axes, of the varied phantom of a seed, in a cube of `size` voxels as the volume stage makes it.

    supersample: voxels along an edge that are rendered for one; their mean is kept.
    """
    anatomy = draw_varied(seed)
    fine = round(size * supersample)
    axis = (np.arange(fine) - (fine - 1) / 2) * (size * spacing_mm / fine)
    low, high, field_of_view = scan_bounds(seed, anatomy)
    hu = render(anatomy, axis, axis, axis + (low + high) / 2 + anatomy.shift_mm[2], 0.15 * spacing_mm)
    hu[np.abs(axis) > (high - low) / 2] = AIR_HU
    hu[:, np.hypot(axis[None], axis[:, None]) > field_of_view / 2] = AIR_HU
    return np.rint(area_resample(np.maximum(hu, AIR_HU), size)).astype(np.int16)


def scan_bounds(seed: int, anatomy: Anatomy) -> tuple[float, float, float]:
    """Lowest and highest z of a scan in the patient frame, and the diameter of its round images, mm."""
    rng = np.random.default_rng([seed, 11])
    low, high = anatomy.base - rng.uniform(-5, 70), anatomy.apex + rng.uniform(-5, 50)
    small = rng.random() < 0.15
    return low, high, rng.uniform(290, 335) if small else rng.uniform(335, 450)
