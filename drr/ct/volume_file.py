"""A CT from a volume file: whole numbers, HU."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.ct.consistency import Place
from drr.ct.hounsfield import Histogram, LOWEST, require_air_outside, require_hu
from drr.ct.limits import MAX_HU, MIN_SLICES
from drr.ct.restated import Restated
from drr.ct.stored import named, read_header, tell, values
from drr.ct.voxels import Stored
from drr.errors import InputError
from drr.volume import AIR_HU, Volume


def read_volume_file(path: Path, restated: Restated | None = None) -> Volume:
    """Read a CT from a volume file as int16 HU, in its own directions; what is below -1024 HU becomes -1024.

    restated: what holds instead of its header.
    Raises InputError, naming the path, where `read_as_stored` does, and for a file that is too thin, or whose values
    are NaN, infinite or not HU.
    """
    with named(path):
        stored, place = _header_of_ct(path, restated)
        hu, histogram = _hounsfield(stored)
    require_hu(path, histogram)
    require_air_outside(path, hu)
    tell(path, stored, place)
    return Volume(hu, place.spacing_mm, place.origin_mm, place.direction)


def look_at_volume_file(path: Path, restated: Restated | None = None) -> Volume:
    """The place of a CT by its header alone, without voxels (Volume.empty); InputError as of `read_volume_file`."""
    with named(path):
        stored, place = _header_of_ct(path, restated)
    tell(path, stored, place)
    x, y, z = stored.shape
    return Volume.empty((z, y, x), place.spacing_mm, place.origin_mm, place.direction)


def _header_of_ct(path: Path, restated: Restated | None) -> tuple[Stored, Place]:
    stored, place = read_header(path, restated)
    if min(stored.shape) < MIN_SLICES:
        size = " x ".join(map(str, stored.shape))
        raise InputError(f"{size} voxels are too few along one axis, a CT has at least {MIN_SLICES}")
    return stored, place


def _hounsfield(stored: Stored) -> tuple[NDArray[np.int16], Histogram]:
    """Values (z, y, x) rounded and clipped to -1024 and 32767, and their histogram from -32768 on."""
    hu, at, histogram = np.empty(stored.voxels, np.int16), 0, Histogram.empty()
    for block in values(stored):
        whole = _whole(block)
        histogram.add(whole)
        np.maximum(whole, AIR_HU, out=hu[at : at + len(whole)])
        at += len(whole)
    return hu.reshape(stored.shape[::-1]), histogram


def _whole(block: NDArray[Any]) -> NDArray[np.int16]:
    if block.dtype.kind == "f":
        if not np.isfinite(block).all():
            raise InputError(f"holds NaN or infinite values: replace them, air is {AIR_HU} HU")
        block = np.rint(np.clip(block, LOWEST, MAX_HU))
    elif block.dtype.itemsize > 1:
        block = np.clip(block, max(LOWEST, int(np.iinfo(block.dtype).min)), MAX_HU)
    whole: NDArray[np.int16] = block.astype(np.int16, copy=False)
    return whole
