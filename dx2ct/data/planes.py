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

PLANES = ("axial", "coronal", "sagittal")


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
