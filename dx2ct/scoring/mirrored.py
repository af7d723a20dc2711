"""Volumes made elsewhere may be mirrored, which no header tells: their own CT does."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.data.planes import PLANES
from dx2ct.data.window import windowed

AXES = ("head to feet", "front to back", "left to right")  # z, y, x
CLEARLY = 2 / 3  # of the mean squared error as the volume lies


def require_upright(
    scan: str, files: Sequence[str], truth: NDArray[np.generic], planes: dict[str, NDArray[np.generic]]
) -> None:
    """InputError where a volume is clearly nearer to its CT when it is mirrored along an axis.

    files: one for all planes, or one each in the order of PLANES. truth, planes: (z, y, x) HU.
    """
    target = windowed(truth)
    for file, plane in zip(files, PLANES, strict=False):
        image = windowed(planes[plane])
        as_it_lies = np.mean((image - target) ** 2)
        for axis, name in enumerate(AXES):
            mirrored = np.mean((np.flip(image, axis) - target) ** 2)
            if mirrored < CLEARLY * as_it_lies:
                raise InputError(
                    f"{file}: scan {scan}: mirrored {name}, its mean squared error is {mirrored:.0f} HU^2 instead of "
                    f"{as_it_lies:.0f}: mirror the voxels, or mend the header's axes"
                )
