"""The project's own rule: one volume, three dimensions, the range that the data have.

All of them look through the window [-1024, 1476] HU that the networks see: what lies outside cannot be reconstructed.
"""

import numpy as np

from dx2ct.data.window import windowed
from dx2ct.metrics.evaluation import Evaluation
from dx2ct.metrics.fast import similarities


def psnr_db(evaluation: Evaluation) -> float:
    """10 log10(range² / mean squared error) over the whole volume. The range is `score.data_range_hu`, 2500 HU.

    Infinite for volumes that are equal within the window.
    """
    mse = float(np.mean((windowed(evaluation.truth) - windowed(evaluation.image)) ** 2))
    return float("inf") if mse == 0 else float(10 * np.log10(evaluation.ct.data_range_hu**2 / mse))


def ssim(evaluation: Evaluation) -> float:
    """Structural similarity in 3D: Gaussian window of 11 cubed voxels (sigma 1.5), range 1 on [0, 1].

    The mean leaves out 5 voxels at each side, where the window does not fit. Covariances are biased, as in the paper.
    """
    return evaluation.once(similarities).volume


def ssim_slices(evaluation: Evaluation) -> float:
    """Structural similarity in 2D, mean over the slices of the plane: Gaussian window of 11 x 11 pixels (sigma 1.5),
    range 1 on [0, 1].

    The mean leaves out 5 pixels at each side. Covariances are biased.
    """
    return evaluation.once(similarities).slices


def mae_hu(evaluation: Evaluation) -> float:
    """Mean absolute error over the whole volume, body and air."""
    return float(np.mean(np.abs(windowed(evaluation.truth) - windowed(evaluation.image))))


def mae_body_hu(evaluation: Evaluation) -> float:
    """Mean absolute error over the body: the largest piece of the CT above -500 HU, with what that encloses."""
    truth, image = evaluation.truth[evaluation.body], evaluation.image[evaluation.body]
    return float(np.mean(np.abs(windowed(truth) - windowed(image))))
