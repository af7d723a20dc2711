"""Films as networks see them: grey of no unit, whose percentiles become 0 and 1. The same at work and in training."""

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError

PERCENTILES = (0.5, 99.5)


def standardised(
    grey: NDArray[np.float32], blank: NDArray[np.bool_] | None = None, *, inverted: bool = False
) -> NDArray[np.float32]:
    """A film, (row, column), in [0, 1]: its PERCENTILES become 0 and 1, and what lies beyond is clipped.

    blank: True where there is no image; it does not count, and becomes air, 0. inverted: bone is dark. Raises
    InputError where nearly all pixels have one value.
    """
    low, high = (float(value) for value in np.percentile(grey if blank is None else grey[~blank], PERCENTILES))
    if high <= low:
        raise InputError(f"nearly all pixels have the one value {low:g}: there is no image in it")
    shown = np.clip((grey - np.float32(low)) / np.float32(high - low), 0, 1)
    shown = 1 - shown if inverted else shown
    if blank is not None:
        shown[blank] = 0
    return np.asarray(shown)


def learnt_part(shown: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network that has learnt films is given of one: of a standardised film the part that it sees, anew.

    So a marker or a border of a film counts as it did in training, wherever the rest of the film ends. A part without
    any contrast stays as it is.
    """
    low, high = np.percentile(shown, PERCENTILES)
    return standardised(shown) if high > low else shown
