"""Whether a reconstruction would have given the X-rays of its CT, in each view."""

from dataclasses import replace

from dx2ct.metrics.evaluation import Evaluation, Truth
from dx2ct.metrics.reprojection import reprojection_errors
from dx2ct.metrics.scale import Array


def reprojection(evaluation: Evaluation) -> float:
    """Relative error of the X-rays that the reconstruction would give: norm of rendered - given over norm of given.

    Both at as many pixels as the grid has voxels along an axis.
    """
    return evaluation.once(_of_image)[evaluation.part]


def reprojection_floor(evaluation: Evaluation) -> float:
    """The same of the CT on the training grid: what a perfect reconstruction would have."""
    return evaluation.ct.once(_of_truth)[evaluation.part]


def _of_image(evaluation: Evaluation) -> dict[str, float]:
    return _errors(evaluation.ct, evaluation.image)


def _of_truth(ct: Truth) -> dict[str, float]:
    return _errors(ct, ct.volume.array)


def _errors(ct: Truth, image: Array) -> dict[str, float]:
    """By view."""
    views = [ct.views[name] for name in ct.xrays]
    errors = reprojection_errors(replace(ct.volume, array=image), list(ct.xrays.values()), views, ct.threads)
    return dict(zip(ct.xrays, errors, strict=True))
