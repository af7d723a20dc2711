"""The grid that a method reconstructs on: a cube of equal voxels along the patient's axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drr.geometry import Vector
from drr.volume import Volume
from dx2ct.config import SlicesSettings, VolumeSettings


@dataclass(frozen=True)
class CubeGrid:
    """`size` voxels of `spacing_mm` along each axis, (z, y, x), around a centre in patient LPS mm."""

    size: int
    spacing_mm: float
    centre_mm: Vector = (0.0, 0.0, 0.0)

    @property
    def side_mm(self) -> float:
        """Side of the cube."""
        return self.size * self.spacing_mm

    @property
    def origin_mm(self) -> Vector:
        """Centre of the first voxel, LPS."""
        x, y, z = (centre - (self.size - 1) / 2 * self.spacing_mm for centre in self.centre_mm)
        return x, y, z

    def volume(self, array: NDArray[np.generic] | None = None) -> Volume:
        """An array (z, y, x) that lies here; without one an empty volume that takes no memory."""
        spacing_mm = (self.spacing_mm,) * 3
        if array is None:
            return Volume.empty((self.size,) * 3, spacing_mm, self.origin_mm)
        return Volume(array, spacing_mm, self.origin_mm)


def training_grid(volume: VolumeSettings, slices: SlicesSettings, centre_mm: Vector = (0.0, 0.0, 0.0)) -> CubeGrid:
    """The volume's cube on the grid of its slices."""
    return CubeGrid(slices.size, volume.size * volume.spacing_mm / slices.size, centre_mm)
