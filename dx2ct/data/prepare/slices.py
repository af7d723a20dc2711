"""Stage slices: a scan's cube on the training grid, as slices of three planes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import SlicesSettings
from dx2ct.config.keys import require_version
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.prepare.separable import apply, area
from dx2ct.data.prepare.volume import read_cube


def make_slices(source: Path, settings: SlicesSettings, output: Path) -> None:
    """Average a cubic volume down to the training grid: output/{plane}.npy, int16 HU, (slice, row, column)."""
    require_version(settings)
    volume = read_cube(source)
    if len(set(volume.array.shape)) != 1 or settings.size > volume.array.shape[0]:
        raise InputError(
            f"{source}: {volume.array.shape} voxels cannot be averaged to a cube of {settings.size}: "
            "slices.size must not exceed volume.size"
        )
    grid = np.rint(area_resample(volume.array, settings.size)).astype(np.int16)
    for plane in PLANES:
        with replacing(output / f"{plane}.npy") as part:
            np.save(part, np.ascontiguousarray(to_plane(grid, plane)))


def area_resample(array: NDArray[np.generic], size: int) -> NDArray[np.float32]:
    """A (z, y, x) array on a coarser cube grid of the same box: every new voxel is the mean over its own extent.

    The box average is the anti-aliasing filter; the mean of the whole volume is kept exactly.
    """
    return apply([area(old, size) for old in array.shape], array)
