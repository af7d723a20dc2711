"""Stored values of an image that a wrong header folds: a sign that they do not have, or fewer bits than they need.

A fold is told by neighbours. Where grey runs on beyond the end of a range, the folded values jump by nearly the whole
range and the others hardly at all. Bits of an overlay above the value, which are no grey, make no such jumps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_JUMP, _STEP = 0.75, 0.25  # of the range that the bits stored have
TIMES = 5  # edges of black and white jump, too: of 92 films a wrong sign made 23 times as many at least
Stored = NDArray[np.integer[Any]]


def folds(folded: Stored, plain: Stored, bits: int, padding: NDArray[np.bool_]) -> tuple[int, int]:
    """How many neighbours jump in the one and step in the other, and how many jump; arrays are (row, column).

    bits: that are stored. From the least value to the largest, as in letters and at blackened borders, none is counted,
    and none from padding to what is no padding.
    """
    found, jumps, ends = 0, 0, int(folded.max()) - int(folded.min())
    for axis in (0, 1):
        outside = np.diff(padding, axis=axis)
        change = np.abs(np.diff(folded.astype(np.int32), axis=axis))
        far = (change > _JUMP * 2**bits) & (change < ends) & ~outside
        near = np.abs(np.diff(plain.astype(np.int32), axis=axis)) < _STEP * 2**bits
        found, jumps = found + int(np.count_nonzero(far & near)), jumps + int(np.count_nonzero(far))
    return found, jumps


def may_fold(values: Stored, bits: int) -> bool:
    """Is there room for a jump? Asked first, because it is cheap."""
    return bool(int(values.max()) - int(values.min()) > _JUMP * 2**bits)
