"""What is said of a film whose stored values a wrong header folds: a sign or too few bits (`drr/folds.py`)."""

import numpy as np
from numpy.typing import NDArray

from drr.folds import folds, Stored, TIMES

_EXPLAINED = 0.5  # of the jumps, by the bits above


def without_sign(values: Stored, unsigned: Stored, stored: int, padding: NDArray[np.bool_]) -> tuple[str, ...]:
    """A note where signed values are folded ones without a sign, (row, column) both; none where they are right."""
    found, _ = folds(values, unsigned, stored, padding)
    others, _ = folds(unsigned, values, stored, padding)
    if found < min(values.shape) / 4 or found < TIMES * others:
        return ()
    why = "PixelRepresentation says that values have a sign, and grey runs on beyond the largest"
    return (f"{why}: read as without one, look at --preview",)


def with_more_bits(values: Stored, whole: Stored, stored: int, padding: NDArray[np.bool_]) -> tuple[str, ...]:
    """A note where the bits above those stored are a part of the values; none where they are something else."""
    found, jumps = folds(values, whole, stored, padding)
    if found < min(values.shape) / 4 or found < _EXPLAINED * jumps:
        return ()
    return (f"BitsStored {stored} is too small, grey runs on in the bits above: read with them, look at --preview",)
