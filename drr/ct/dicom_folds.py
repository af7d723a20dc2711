"""CT series whose header folds their stored values, by a sign or by too few bits (`drr/folds.py`).

Dense bone and metal run on beyond the largest value, come out as the lowest, and would be air.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from drr.ct.dicom_image import CtSlice
from drr.folds import folds, may_fold, Stored, TIMES

ALLOCATED = 16
_LEAST = 10


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
class Reading:
    """Another reading of a series, and what speaks for it.

    otherwise: how a slice is read then. why: what the header says, for the user. folds: neighbouring pixels that jump
    as the header says, and otherwise step. unfolds: those that step, and otherwise would jump: values that have a sign
    cross zero everywhere, and overlays have edges.
    """

    otherwise: Callable[[CtSlice], CtSlice]
    why: str
    folds: int = 0
    unfolds: int = 0

    def count(self, stored: Stored, one: CtSlice) -> None:
        """Add a slice as it is stored, (row, column). Its lowest value is passed over: it may be padding."""
        other = self.otherwise(one)
        if (other.stored.signed, other.bits_stored) == (one.stored.signed, one.bits_stored):
            return
        values = in_use(stored, one)
        if may_fold(values, one.bits_stored):
            plain = in_use(stored.view(np.int16 if other.stored.signed else np.uint16), other)
            lowest = values == values.min()
            self.folds += folds(values, plain, one.bits_stored, lowest)[0]
            self.unfolds += folds(plain, values, one.bits_stored, lowest)[0]

    @property
    def holds(self) -> bool:
        """Should the series be read so?"""
        return self.folds >= max(_LEAST, TIMES * self.unfolds)


def readings() -> tuple[Reading, ...]:
    """Those to try. The first that holds is taken: all bits mend a wrong sign, too."""
    return (
        Reading(without_sign, "PixelRepresentation says that values have a sign, HU run on beyond it: read without it"),
        Reading(with_all_bits, "BitsStored is too small, HU run on in the bits above: read with them"),
    )
