"""The volume of a stack of CT slices: decoded, straightened where the gantry was tilted, at even steps."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_folds import readings
from drr.ct.dicom_pixels import hounsfield_of
from drr.ct.dicom_stack import Stack
from drr.ct.limits import MAX_VOXELS
from drr.ct.sources import note
from drr.errors import InputError
from drr.volume import AIR_HU, Volume

# 512 MB; beyond, no file is packed to less than a twentieth, and no tilt or hole makes a scan four times as large.
_FREE_VOXELS, _MAX_PACKED, _MAX_GROWTH = 2**28, 20, 4


def volume_of(stack: Stack, path: Path) -> Volume:
    """Int16 HU in the slices' own directions; InputError for pixels that cannot be decoded and for too many voxels.

    path: what the user calls the scan.
    """
    first = stack.slices[0]
    shape = (len(stack.slices), first.rows, first.columns)
    stored_bytes = sum(length for one in stack.slices for _, length in one.stored.pieces)
    _require_room(shape, _MAX_PACKED * stored_bytes // 2, "compressed")
    array, others = np.empty(shape, np.int16), readings()
    for k, image in hounsfield_of(stack.slices, others):
        array[k] = image
    found = next((one for one in others if one.holds), None)
    if found:
        note(f"{path}: {found.why}")
        for k, image in hounsfield_of([found.otherwise(one) for one in stack.slices]):
            array[k] = image
    rows_mm, columns_mm = first.spacing_mm
    corner = stack.positions_mm[0].copy()
    if not stack.is_upright:
        array, corner[:2] = _upright(array, stack, (columns_mm, rows_mm))
    array, step_mm = _even(array, stack)
    x, y, z = (stack.frame @ corner).tolist()
    return Volume(array, (columns_mm, rows_mm, step_mm), (x, y, z), tuple(stack.frame.ravel().tolist()))


def _require_room(shape: tuple[int, ...], allowed: int, how: str) -> None:
    """A small file must not ask for a large volume: voxels beyond _FREE_VOXELS are bounded by what was given."""
    voxels = math.prod(int(n) for n in shape)
    if voxels > max(_FREE_VOXELS, min(allowed, MAX_VOXELS)):
        raise InputError(f"{' x '.join(map(str, shape))} voxels are too many for a CT of its size that is {how}")


def _upright(
    array: NDArray[np.int16], stack: Stack, pixel_mm: tuple[float, float]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Straighten a stack that leans with the gantry: every slice moves sideways to its true place on a wider canvas."""
    from scipy import ndimage  # slow to import, and few scans need it

    corner = stack.positions_mm[:, :2].min(axis=0)
    shift = (stack.positions_mm[:, :2] - corner) / pixel_mm  # pixels along x and y
    wide, high = np.ceil(shift.max(axis=0)).astype(int)
    _require_room((len(array), array.shape[1] + high, array.shape[2] + wide), _MAX_GROWTH * array.size, "straightened")
    canvas = np.pad(array, ((0, 0), (0, high), (0, wide)), constant_values=AIR_HU)
    for image, (right, down) in zip(canvas, shift, strict=True):
        ndimage.shift(image.copy(), (down, right), output=image, order=1, cval=AIR_HU)
    return canvas, corner


def _even(array: NDArray[np.int16], stack: Stack) -> tuple[NDArray[np.int16], float]:
    """The slices at even steps, and the step in mm: linear between neighbours where true positions are uneven."""
    z = stack.positions_mm[:, 2]
    if stack.is_even:
        return array, float((z[-1] - z[0]) / (len(z) - 1))
    count = round((z[-1] - z[0]) / stack.step_mm) + 1
    _require_room((count, *array.shape[1:]), _MAX_GROWTH * array.size, "put at even steps")
    even = np.linspace(z[0], z[-1], count)
    above = np.clip(np.searchsorted(z, even), 1, len(z) - 1)
    weight = ((even - z[above - 1]) / (z[above] - z[above - 1])).astype(np.float32)
    result = np.empty((len(even), *array.shape[1:]), np.int16)
    for k, (high, share) in enumerate(zip(above, weight, strict=True)):
        result[k] = np.rint(array[high - 1] * (1 - share) + array[high] * share)
    return result, float(even[1] - even[0])
