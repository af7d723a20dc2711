"""Stored values that a wrong header folds: a sign that they do not have, or fewer bits than they need.

A fold is told by neighbours. Where grey runs on beyond the end of a range, the folded values jump by nearly the whole
range and the others hardly at all. Bits of an overlay above the value, which are no grey, make no such jumps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_JUMP, _STEP = 0.75, 0.25  # of the range that the bits stored have
_TIMES = 5  # edges of black and white jump, too: of 92 films a wrong sign made 23 times as many at least
_EXPLAINED = 0.5  # of the jumps, by the bits above
Values = NDArray[np.integer[Any]]


def without_sign(values: Values, unsigned: Values, stored: int, padding: NDArray[np.bool_]) -> tuple[str, ...]:
    """A note where signed values are folded ones without a sign, (row, column) both; none where they are right."""
    folds, _ = _folds(values, unsigned, stored, padding)
    others, _ = _folds(unsigned, values, stored, padding)
    if folds < min(values.shape) / 4 or folds < _TIMES * others:
        return ()
    why = "PixelRepresentation says that values have a sign, and grey runs on beyond the largest"
    return (f"{why}: read as without one, look at --preview",)


def with_more_bits(values: Values, whole: Values, stored: int, padding: NDArray[np.bool_]) -> tuple[str, ...]:
    """A note where the bits above those stored are a part of the values; none where they are something else."""
    folds, jumps = _folds(values, whole, stored, padding)
    if folds < min(values.shape) / 4 or folds < _EXPLAINED * jumps:
        return ()
    return (f"BitsStored {stored} is too small, grey runs on in the bits above: read with them, look at --preview",)


def _folds(folded: Values, plain: Values, stored: int, padding: NDArray[np.bool_]) -> tuple[int, int]:
    """How many neighbours jump in the one and step in the other, and how many jump.

    From the least value to the largest, as in letters and at blackened borders, none is counted.
    """
    folds, jumps, ends = 0, 0, int(folded.max()) - int(folded.min())
    for axis in (0, 1):
        outside = np.diff(padding, axis=axis)
        change = np.abs(np.diff(folded.astype(np.int32), axis=axis))
        far = (change > _JUMP * 2**stored) & (change < ends) & ~outside
        near = np.abs(np.diff(plain.astype(np.int32), axis=axis)) < _STEP * 2**stored
        folds, jumps = folds + int(np.count_nonzero(far & near)), jumps + int(np.count_nonzero(far))
    return folds, jumps
