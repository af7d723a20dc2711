"""Stored values of CT slices that a wrong header folds: a sign that they do not have, or fewer bits than they need.

Dense bone and metal run on beyond the largest value, come out as the lowest, and would be air.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_image import CtSlice

ALLOCATED = 16
_JUMP, _STEP = 0.75, 0.25  # of the range that the bits stored have
# Values that have a sign cross zero everywhere, and overlays have edges: read otherwise, these would jump.
_LEAST, _TIMES = 10, 5
Stored = NDArray[np.integer[Any]]


def in_use(stored: Stored, one: CtSlice) -> Stored:
    """Drop overlay bits above the value, and extend its sign."""
    unused = ALLOCATED - one.bits_stored
    return (stored << unused) >> unused if unused else stored


def without_sign(one: CtSlice) -> CtSlice:
    """The same slice, read as values that have no sign."""
    padding = one.padding and (one.padding[0] & 0xFFFF, one.padding[1] & 0xFFFF)
    return replace(one, stored=replace(one.stored, signed=False), padding=padding)


def with_all_bits(one: CtSlice) -> CtSlice:
    """The same slice, read as values of all the bits that they are kept in."""
    return replace(one, bits_stored=ALLOCATED)


@dataclass
class Folds:
    """Counts in a series what tells that its slices should be read otherwise.

    otherwise: how. why: what the header says, for the user. folds: neighbouring pixels that jump by nearly the whole
    range as the header says, and otherwise step. unfolds: those that step, and otherwise would jump.
    """

    otherwise: Callable[[CtSlice], CtSlice]
    why: str
    folds: int = 0
    unfolds: int = 0

    def count(self, stored: Stored, one: CtSlice) -> None:
        """Add a slice as it is stored, (row, column). Its lowest value is passed over: it may be padding."""
        other, whole = self.otherwise(one), 2**one.bits_stored
        if (other.stored.signed, other.bits_stored) == (one.stored.signed, one.bits_stored):
            return
        values = in_use(stored, one)
        lowest = values.min()
        if int(values.max()) - int(lowest) <= _JUMP * whole:
            return  # nothing folds here
        plain = in_use(stored.view(np.int16 if other.stored.signed else np.uint16), other).astype(np.int32)
        values = values.astype(np.int32)
        if np.array_equal(values, plain):
            return
        for axis in (0, 1):
            change, bare = (np.abs(np.diff(array, axis=axis)) for array in (values, plain))
            inside = ~_touched(values == lowest, axis)
            self.folds += int(np.count_nonzero((change > _JUMP * whole) & (bare < _STEP * whole) & inside))
            self.unfolds += int(np.count_nonzero((bare > _JUMP * whole) & (change < _STEP * whole) & inside))

    @property
    def are_there(self) -> bool:
        """Should the series be read otherwise?"""
        return self.folds >= max(_LEAST, _TIMES * self.unfolds)


def folds() -> tuple[Folds, ...]:
    """What to look for in a series. The first that is there holds: all bits mend a wrong sign, too."""
    return (
        Folds(without_sign, "PixelRepresentation says that values have a sign, and HU run on beyond: read without it"),
        Folds(with_all_bits, "BitsStored is too small, HU run on in the bits above: read with them"),
    )


def _touched(true: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Of the pairs of neighbours along an axis, those of which one at least is true."""
    along = np.moveaxis(true, axis, 0)
    return np.moveaxis(along[1:] | along[:-1], 0, axis)
