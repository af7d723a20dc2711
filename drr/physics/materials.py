"""A CT as a mixture of air, soft tissue and bone, and how many mm of each a ray meets.

A voxel is a mixture by volume of its two neighbours among the three, as in drr.attenuation.Mixture. Its HU are linear
in the fractions, so two projections of the HU themselves give all: one of the density, one of the bone. What air weighs
is counted as soft tissue of its density.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from drr.attenuation import AttenuationModel, CT_KEV
from drr.coefficients import mu_per_mm
from drr.geometry import View
from drr.physics.tube import ENERGIES_KEV
from drr.projector import Projector
from drr.volume import Volume

Images = NDArray[np.float32]
MATERIALS = ("soft tissue", "bone")
_WATER = mu_per_mm("water", CT_KEV)
_SOFT, _BONE = (mu_per_mm(material, CT_KEV) / _WATER for material in MATERIALS)
# Whole HU, so that int16 volumes are walked through as they are stored.
SOFT_HU, BONE_HU = round(1000 * (_SOFT - 1)), round(1000 * (_BONE - 1))
DENSITY = AttenuationModel(threshold=-1000.0, zero=-1000.0, slope=1 / 1000)
BONE = AttenuationModel(threshold=float(SOFT_HU), zero=float(SOFT_HU), slope=1 / (BONE_HU - SOFT_HU))


def path_lengths(
    volume: Volume, views: Sequence[View], rays: int = 1, backend: str = "auto", threads: int = 0
) -> Images:
    """Millimetres of soft tissue and of bone that each ray meets, (view, 2, row, column) float32.

    volume: HU. rays: along each side of a pixel. Denser than cortical bone is more than a mm of it a mm, and less than
    none of soft tissue. Raises InputError as drr.render does.
    """
    projector = Projector(volume, views, rays=rays, backend=backend, threads=threads)
    return as_lengths(projector.render(volume.array, DENSITY), projector.render(volume.array, BONE))


def as_lengths(density: Images, bone: Images) -> Images:
    """Line integrals of the laws DENSITY and BONE, (view, row, column), as the result of `path_lengths`."""
    soft = (density - np.float32(1 + BONE_HU / 1000) * bone) / np.float32(1 + SOFT_HU / 1000)
    return np.stack([soft, bone], axis=1)


@cache
def attenuation() -> NDArray[np.float32]:
    """Of soft tissue and of bone in 1/mm, (2, energy), at ENERGIES_KEV."""
    return np.array([[mu_per_mm(material, float(kev)) for kev in ENERGIES_KEV] for material in MATERIALS], np.float32)
