"""A varied phantom straight on the grid that a method works on: any number of them, without files."""

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.volume import AIR_HU
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.sources.phantom.anatomy import Anatomy, draw_varied, render

FINE_MM = 3.4  # voxels that are drawn: with 2 mm the means over 6.7 mm differ by 43 dB
FINEST = 0.15  # radius of the thinnest lung vessels against the voxels that are asked for


@dataclass(frozen=True)
class Field:
    """What of a patient a scan shows: heights in the patient frame, and how wide its images are, mm."""

    low: float
    high: float
    diameter: float
    round: bool  # nothing is known outside the circle


def draw(seed: int, size: int, spacing_mm: float) -> NDArray[np.int16]:
    """HU (z, y, x), LPS axes, of the varied phantom of a seed: the scan in a cube of `size` voxels of `spacing_mm`.

    Seed, size and spacing fix every voxel. As the volume stage does it, the cube is centred on the scan, with -1024 HU
    outside it; there is no noise. Raises InputError for a size below 2 and a spacing that is not positive.
    """
    if size < 2 or not 0 < spacing_mm < math.inf:
        raise InputError(f"phantom of {size} voxels of {spacing_mm} mm: give 2 voxels or more, and a positive spacing")
    anatomy = draw_varied(seed)
    return on_grid(anatomy, scan_field(seed, anatomy), size, spacing_mm)


def on_grid(anatomy: Anatomy, field: Field, size: int, spacing_mm: float) -> NDArray[np.int16]:
    """HU (z, y, x) of any patient, as `draw` gives those of a varied one."""
    fine = size * max(1, math.ceil(spacing_mm / FINE_MM))
    axis = (np.arange(fine) - (fine - 1) / 2) * (size * spacing_mm / fine)
    heights = axis + (field.low + field.high) / 2 + anatomy.shift_mm[2]
    hu = render(anatomy, axis, axis, heights, FINEST * spacing_mm)
    seen = np.maximum(hu, AIR_HU) - AIR_HU
    seen *= _inside(np.abs(axis), (field.high - field.low) / 2, axis[1] - axis[0])[:, None, None]
    across, deep = np.abs(axis[None]), np.abs(axis[:, None])
    off = np.hypot(across, deep) if field.round else np.maximum(across, deep)
    seen *= _inside(off, field.diameter / 2, axis[1] - axis[0])
    coarse = area_resample(seen, size) if fine > size else seen
    return np.rint(coarse + AIR_HU).astype(np.int16)


def _inside(off: NDArray[np.float64], half: float, step: float) -> NDArray[np.float32]:
    """The share of voxels `step` wide that lies within `half` of the middle."""
    return np.clip((half - off) / step + 0.5, 0, 1).astype(np.float32)


def scan_field(seed: int, anatomy: Anatomy) -> Field:
    """What the scan of a varied phantom shows: seldom it begins above the recesses, or is narrower than the patient."""
    rng = np.random.default_rng([seed, 11])
    low, high = anatomy.base - rng.uniform(-8, 72), anatomy.apex + rng.uniform(-5, 50)
    narrow = rng.random() < 0.18
    return Field(low, high, rng.uniform(285, 335) if narrow else rng.uniform(335, 450), bool(rng.random() < 0.55))
