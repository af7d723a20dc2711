"""Stored pixels of a CT slice, and their Hounsfield units."""

from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from scipy import ndimage

from drr.ct.dicom_header import CtSlice
from drr.errors import InputError
from drr.volume import AIR_HU

_ALLOCATED = 16
MAX_HU = np.iinfo(np.int16).max
Stored = NDArray[np.integer[Any]]


def stored_pixels(one: CtSlice) -> Stored:
    """Decode the 16-bit pixels as they are stored, (row, column); the bits above BitsStored are still there."""
    try:
        with one.member.open() as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = dcmread(stream, force=False)
            pixels = pixel_array(dataset, correct_unused_bits=False)
    except Exception as error:  # every decoder plugin has exceptions of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise InputError(f"{one.member.name}: pixels cannot be decoded ({reason}): save it uncompressed") from None
    if pixels.shape != (one.rows, one.columns) or pixels.dtype not in (np.int16, np.uint16):
        raise InputError(f"{one.member.name}: pixels are {pixels.dtype} {pixels.shape}, the header promises otherwise")
    return pixels


def hounsfield(one: CtSlice) -> NDArray[np.int16]:
    """HU of a slice, (row, column): slope and intercept of this very slice; padding and all below -1024 is -1024.

    Metal keeps its values up to 32767.
    """
    stored = stored_pixels(one)
    outside = _padded(stored, one)
    stored = _in_use(stored, one.bits_stored)
    if one.slope == 1 and one.intercept.is_integer():
        hu = stored.astype(np.int32) + int(one.intercept)
    else:
        hu = np.rint(stored * np.float32(one.slope) + np.float32(one.intercept))
    if outside is not None:
        hu[outside] = AIR_HU
    return np.clip(hu, AIR_HU, MAX_HU).astype(np.int16)


def _in_use(stored: Stored, bits_stored: int) -> Stored:
    """Drop overlay bits above the value, and extend its sign."""
    unused = _ALLOCATED - bits_stored
    return (stored << unused) >> unused


def _padded(stored: Stored, one: CtSlice) -> NDArray[np.bool_] | None:
    """Pixels that hold the padding value and are connected with the border; None when clipping does the same.

    Some series pad with a value that tissue has as well (0, with an intercept of 0 or -1000), with one that needs more
    bits than are stored, or carry a wrong tag: the connection with the border keeps holes from being punched into the
    patient.
    """
    if one.padding is None:
        return None
    ends = _in_use(np.array(one.padding, stored.dtype), one.bits_stored)
    if (ends * one.slope + one.intercept).max() <= AIR_HU:
        return None
    regions, count = ndimage.label((stored >= one.padding[0]) & (stored <= one.padding[1]))
    at_border = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    return np.isin(regions, at_border[at_border > 0]) if count else None
