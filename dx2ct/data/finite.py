"""Voxels that are no numbers."""

from pathlib import Path

import numpy as np

from drr.errors import InputError
from drr.volume import Volume


def require_finite(path: Path, volume: Volume) -> None:
    """Raise InputError naming the file when a voxel of it is NaN or infinite."""
    count = int(np.count_nonzero(~np.isfinite(volume.array)))
    if count:
        raise InputError(f"{path}: {count} voxels are NaN or infinite: fill them")
