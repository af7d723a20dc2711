"""The rules by which X2CT-GAN (CVPR 2019) and PerX2CT (ICASSP 2023) compute their published numbers, quirks included.

Implemented from a public description of the rules, not from the code. Both scale HU + 1024, clipped to 0..2500 when the
truth is loaded, to [0, 1]. For PSNR both cut the decimals off, take a peak of 4095 though the data end at 2500, which
adds 20 log10(4095 / 2500) = 4.286 dB, and give 100 dB where nothing differs. The prediction is not clipped.
DX2CT averages as PerX2CT does: three plane volumes, each against its own stack of the truth.
"""

import numpy as np
from numpy.typing import NDArray

from dx2ct.metrics.evaluation import Evaluation
from dx2ct.metrics.fast import similarities
from dx2ct.metrics.scale import Array, levels

PIXEL_MAX = 4095
NO_ERROR_DB = 100.0


def x2ct_psnr_db(evaluation: Evaluation) -> float:
    """PSNR of each slice in whole grey levels over **4095**; mean over the slices, then over the three axes.

    100 dB for a slice without error. Slices of air count, and raise the mean: this is no PSNR of a volume.
    """
    error = evaluation.once(_squared_error)
    each = [_psnr_db(error.mean(axis=axes)).mean() for axes in ((1, 2), (0, 2), (0, 1))]
    return float(np.mean(each))


def x2ct_psnr_3d_db(evaluation: Evaluation) -> float:
    """PSNR of the whole volume in whole grey levels over **4095**; X2CT-GAN's `psnr-3d`."""
    return float(_psnr_db(np.asarray(evaluation.once(_squared_error).mean())))


def x2ct_ssim(evaluation: Evaluation) -> float:
    """Structural similarity in 2D of each slice, mean over the slices, then over the three axes: uniform window of
    7 x 7 pixels, range 1 on [0, 1].

    Both volumes are clipped to [0, 1]; covariances are unbiased.
    """
    return evaluation.once(similarities).x2ct


def perx2ct_psnr_db(evaluation: Evaluation) -> float:
    """PSNR of each **column index** of the plane's stack in whole grey levels over **4095**, mean over the columns.

    The mean squared error is taken over slices and rows, so there is one PSNR for every column, not for every slice.
    """
    error = _level_error(*evaluation.stacks)
    return float(_psnr_db(error.mean(axis=(0, 1))).mean())


def perx2ct_ssim(evaluation: Evaluation) -> float:
    """Structural similarity in 3D: uniform window of 7 cubed voxels, range **2** on [0, 1], so small differences hide.

    scikit-image 0.19 took the range of floats, -1 to 1, when none was given. The truth is clipped to [0, 1], the
    prediction is not; covariances are unbiased.
    """
    return evaluation.once(similarities).perx2ct


def _squared_error(evaluation: Evaluation) -> NDArray[np.float64]:
    return _level_error(evaluation.truth, evaluation.image)


def _level_error(truth: Array, image: Array) -> NDArray[np.float64]:
    return np.asarray(levels(truth) - levels(image, clip=False), dtype=np.float64) ** 2


def _psnr_db(mse: NDArray[np.float64]) -> NDArray[np.float64]:
    safe = np.where(mse == 0, 1, mse)
    return np.where(mse == 0, NO_ERROR_DB, 10 * np.log10(PIXEL_MAX**2 / safe))
