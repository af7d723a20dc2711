"""Which voxels belong to the patient, by a fixed rule."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from drr.errors import InputError
from dx2ct.metrics.scale import Array

BODY_HU = -500.0
_IN_SLICE = ndimage.generate_binary_structure(3, 1) & (np.arange(3) == 1)[:, None, None]


def body_mask(volume: Array) -> NDArray[np.bool_]:
    """The body in a CT (z, y, x) in HU, lungs included: a rule, not a segmentation.

    The largest piece (voxels that share a face) above -500 HU, with all that it encloses within an axial slice. Air
    that reaches the edge of a slice stays outside. Raises InputError when no voxel is above -500 HU.
    """
    pieces, count = ndimage.label(np.greater(volume, BODY_HU))
    if count == 0:
        raise InputError(f"the body mask is empty: no voxel lies above {BODY_HU:g} HU, so there is nothing to score")
    sizes = np.bincount(pieces.ravel())
    body = pieces == 1 + sizes[1:].argmax()
    airs, count = ndimage.label(~body, structure=_IN_SLICE)
    is_open = np.zeros(count + 1, dtype=bool)
    for edge in (airs[:, 0], airs[:, -1], airs[:, :, 0], airs[:, :, -1]):
        is_open[edge] = True
    is_open[0] = False
    return np.asarray(~is_open[airs])
