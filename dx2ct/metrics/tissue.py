"""Tissues by fixed thresholds: whether lungs, soft tissue and bone are where they were. Rules, not segmentations."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from drr.errors import InputError
from dx2ct.metrics.body import body_mask
from dx2ct.metrics.evaluation import Evaluation, Truth
from dx2ct.metrics.scale import Array

TISSUES = ("lung", "soft", "bone")
LUNG_HU = -500.0  # lung and airways: below, inside the body
SOFT_HU = (-200.0, 200.0)  # fat, muscle, blood, organs
BONE_HU = 200.0  # above; contrast agent and calcium too
LEAST_LUNG = 0.1  # a piece of lung is kept from this fraction of the largest: bowel gas and noise are not
Mask = NDArray[np.bool_]


def tissues(volume: Array, body: Mask) -> dict[str, Mask]:
    """Masks by TISSUES of a CT (z, y, x) in HU, inside its own body (`body_mask`)."""
    hu = volume.astype(np.float32)
    masks = (
        _large_pieces(body & (hu < LUNG_HU)),
        body & (hu >= SOFT_HU[0]) & (hu < SOFT_HU[1]),
        body & (hu >= BONE_HU),
    )
    return dict(zip(TISSUES, masks, strict=True))


def dice(evaluation: Evaluation) -> float:
    """Dice of the tissue in the CT and in the reconstruction, each inside its own body; empty where neither has it.

    A reconstruction without a body has no tissue, and scores 0.
    """
    return overlap(evaluation.ct.once(_truth)[evaluation.part], evaluation.once(_image)[evaluation.part])


def overlap(one: Mask, other: Mask) -> float:
    """2 |A and B| / (|A| + |B|), from 0 to 1; NaN where neither has a voxel."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else float("nan")


def lung_volume_error_ml(evaluation: Evaluation) -> float:
    """Volume of the lungs, reconstruction minus CT: above 0 is too much lung."""
    image, truth = evaluation.once(_image), evaluation.ct.once(_truth)
    voxels = np.count_nonzero(image["lung"]) - np.count_nonzero(truth["lung"])
    return float(voxels * evaluation.voxel_ml)


def bias_hu(evaluation: Evaluation) -> float:
    """Mean of reconstruction minus CT over the tissue of the CT; empty where there is none."""
    mask = evaluation.ct.once(_truth)[evaluation.part]
    return float(evaluation.once(_error)[mask].mean(dtype=float)) if mask.any() else float("nan")


def _truth(ct: Truth) -> dict[str, Mask]:
    return tissues(ct.volume.array, ct.body)


def _image(evaluation: Evaluation) -> dict[str, Mask]:
    return tissues(evaluation.image, _body_or_none(evaluation.image))


def _error(evaluation: Evaluation) -> NDArray[np.float32]:
    return evaluation.image.astype(np.float32) - evaluation.truth.astype(np.float32)


def _body_or_none(image: Array) -> Mask:
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
