"""Tissues by fixed thresholds: whether lungs, soft tissue and bone are where they were. Rules, not segmentations."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from drr.errors import InputError
from dx2ct.metrics.body import body_mask
from dx2ct.metrics.scale import Array

LUNG_HU = -500.0  # lung and airways: below, inside the body
SOFT_HU = (-200.0, 200.0)  # fat, muscle, blood, organs
BONE_HU = 200.0  # above; contrast agent and calcium too
LEAST_LUNG = 0.1  # a piece of lung is kept from this fraction of the largest: bowel gas and noise are not
TISSUE_COLUMNS = (
    *("dice_lung", "dice_soft", "dice_bone"),
    "lung_volume_error_ml",
    *("bias_lung_hu", "bias_soft_hu", "bias_bone_hu"),
)
Mask = NDArray[np.bool_]


def tissues(volume: Array, body: Mask) -> dict[str, Mask]:
    """Masks lung, soft and bone of a CT (z, y, x) in HU, inside its own body (`body_mask`)."""
    hu = volume.astype(np.float32)
    return {
        "lung": _large_pieces(body & (hu < LUNG_HU)),
        "soft": body & (hu >= SOFT_HU[0]) & (hu < SOFT_HU[1]),
        "bone": body & (hu >= BONE_HU),
    }


def dice(one: Mask, other: Mask) -> float:
    """2 |A and B| / (|A| + |B|), from 0 to 1; NaN where neither has a voxel."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else float("nan")


def tissue_scores(theirs: dict[str, Mask], truth: Array, image: Array, voxel_ml: float) -> dict[str, float]:
    """TISSUE_COLUMNS of a reconstruction; theirs: the truth's `tissues`, truth, image: (z, y, x) HU.

    bias_*_hu: mean of image - truth over the truth's tissue. lung_volume_error_ml: above 0 is too much lung; voxel_ml
    is the volume of a voxel. NaN where the truth (for Dice: both) lacks the tissue. An image without a body has none.
    """
    ours = tissues(image, _body(image))
    error = image.astype(np.float32) - truth.astype(np.float32)
    biases = {
        f"bias_{name}_hu": float(error[mask].mean(dtype=float)) if mask.any() else float("nan")
        for name, mask in theirs.items()
    }
    voxels = np.count_nonzero(ours["lung"]) - np.count_nonzero(theirs["lung"])
    return {
        **{f"dice_{name}": dice(theirs[name], ours[name]) for name in theirs},
        "lung_volume_error_ml": float(voxels * voxel_ml),
        **biases,
    }


def _body(image: Array) -> Mask:
    try:
        return body_mask(image)
    except InputError:  # nothing but air: a reconstruction that failed, which scores 0
        return np.zeros(image.shape, bool)


def _large_pieces(mask: Mask) -> Mask:
    """The pieces (voxels that share a face) of at least LEAST_LUNG of the largest."""
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= max(LEAST_LUNG * sizes.max(), 1))[pieces])
