"""A volume as three stacks of slices, and back.

The volume is (z, y, x), z growing to the head. Each stack is (slice, row, column), seen as a radiologist hangs it:

    axial     slice z feet to head,          row y anterior to posterior, column x right to left
    coronal   slice y anterior to posterior, row z head to feet,          column x right to left
    sagittal  slice x right to left,         row z head to feet,          column y anterior to posterior

so a coronal slice lies like the PA X-ray and a sagittal one like the lateral X-ray (see drr/geometry.py).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dx2ct.layout import PLANES

__all__ = ["PLANES", "cube_coordinates", "from_plane", "plane_coordinates", "to_plane"]


def to_plane(volume: NDArray[Any], plane: str) -> NDArray[Any]:
    """The (z, y, x) volume as the stack of `plane`; trailing axes (channels) stay. A view, no copy."""
    if plane == "axial":
        return volume
    flipped = volume[::-1]
    return np.moveaxis(flipped, 1, 0) if plane == "coronal" else np.moveaxis(flipped, 2, 0)


def from_plane(stack: NDArray[Any], plane: str) -> NDArray[Any]:
    """Inverse of `to_plane`."""
    if plane == "axial":
        return stack
    return (np.moveaxis(stack, 0, 1) if plane == "coronal" else np.moveaxis(stack, 0, 2))[::-1]


def cube_coordinates(size: int) -> NDArray[np.float32]:
    """Voxel centres of the cube [-1, 1]^3 in patient axes, (z, y, x, 3): the last axis is x, y, z."""
    axis = ((np.arange(size) + 0.5) * 2 / size - 1).astype(np.float32)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return np.asarray(np.stack([x, y, z], axis=-1))


def plane_coordinates(size: int) -> NDArray[np.float32]:
    """Coordinates of every slice of every plane, (plane, slice, row, column, 3), planes in the order of PLANES."""
    cube = cube_coordinates(size)
    return np.stack([to_plane(cube, plane) for plane in PLANES])
