"""Image metrics of a reconstruction against its CT: pure functions of two volumes in HU, indexed (z, y, x).

All of them look through the window [-1024, 1476] HU that the networks see: what lies outside cannot be reconstructed.
Published numbers of this task differ by rule more than by method. X2CT-GAN and PerX2CT divide by a peak of 4095 where
the window is 2500 HU wide, which adds 20 log10(4095 / 2500) = 4.286 dB, and average over slices or columns.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dx2ct.window import LOW_HU, WIDTH_HU

Array = NDArray[np.generic]
Distance = Callable[[Array, Array], float]  # of two stacks or volumes in HU


def psnr_db(truth: Array, image: Array, data_range_hu: float) -> float:
    """Peak signal-to-noise ratio over the whole volume, dB: 10 log10(data_range_hu² / mean squared error).

    Infinite for volumes that are equal within the window.
    """
    mse = float(np.mean((_windowed(truth) - _windowed(image)) ** 2))
    return float("inf") if mse == 0 else float(10 * np.log10(data_range_hu**2 / mse))


def ssim(truth: Array, image: Array) -> float:
    """Structural similarity (Wang et al., 2004) in 3-D: Gaussian window of 1.5 voxels, 11 voxels wide along each axis.

    The window of HU is scaled to [0, 1] and the data range is 1; the mean leaves out a border of 5 voxels, as
    scikit-image does. Each axis needs 11 voxels.
    """
    pair = [(_windowed(volume) - LOW_HU) / WIDTH_HU for volume in (truth, image)]
    return float(
        structural_similarity(*pair, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )


def mae_hu(truth: Array, image: Array) -> float:
    """Mean absolute error over the whole volume, HU."""
    return float(np.mean(np.abs(_windowed(truth) - _windowed(image))))


def _windowed(volume: Array) -> NDArray[np.float64]:
    return np.clip(volume.astype(np.float64), LOW_HU, LOW_HU + WIDTH_HU)
