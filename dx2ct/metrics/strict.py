"""The project's own rule: one volume, three dimensions, the range that the data have.

All of them look through the window [-1024, 1476] HU that the networks see: what lies outside cannot be reconstructed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dx2ct.data.window import windowed
from dx2ct.metrics.scale import Array, unit

# Wang et al., 2004: 11 pixels wide with a deviation of 1.5, and biased covariances
_GAUSSIAN: dict[str, Any] = {
    "data_range": 1.0,
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
}


def psnr_db(truth: Array, image: Array, data_range_hu: float) -> float:
    """Peak signal-to-noise ratio over the whole volume, dB: 10 log10(data_range_hu² / mean squared error).

    Infinite for volumes that are equal within the window.
    """
    mse = float(np.mean((windowed(truth) - windowed(image)) ** 2))
    return float("inf") if mse == 0 else float(10 * np.log10(data_range_hu**2 / mse))


def ssim(truth: Array, image: Array) -> float:
    """Structural similarity (Wang et al., 2004) in 3-D: Gaussian window of 1.5 voxels, 11 voxels wide along each axis.

    The window of HU is scaled to [0, 1] and the data range is 1; the mean leaves out a border of 5 voxels, as
    scikit-image does. Each axis needs 11 voxels.
    """
    return float(structural_similarity(unit(truth), unit(image), **_GAUSSIAN))


def ssim_slices(truth: Array, image: Array) -> float:
    """Mean over the slices of two stacks (slice, row, column) in HU of the 2-D structural similarity.

    Gaussian window of 1.5 pixels, 11 x 11 pixels wide; the window of HU is scaled to [0, 1] and the data range is 1;
    the mean leaves out a border of 5 pixels in each slice, as scikit-image does. Rows and columns need 11 pixels.
    """
    return float(structural_similarity(unit(truth), unit(image), channel_axis=0, **_GAUSSIAN))


def mae_hu(truth: Array, image: Array) -> float:
    """Mean absolute error over the whole volume, HU."""
    return float(np.mean(np.abs(windowed(truth) - windowed(image))))


def mae_body_hu(truth: Array, image: Array, body: NDArray[np.bool_]) -> float:
    """Mean absolute error over the voxels of `body`, HU; the mask comes from the truth (`body_mask`)."""
    return float(np.mean(np.abs(windowed(truth[body]) - windowed(image[body]))))
