"""The rules by which X2CT-GAN (CVPR 2019) and PerX2CT (ICASSP 2023) compute their published numbers, quirks included.

Sources, as read: X2CT `3DGAN/test.py` and `utils/metrics.py`; PerX2CT `main_test.py` with scikit-image 0.19. Both scale
HU + 1024, clipped to 0..2500 when the truth is loaded, to [0, 1]. For PSNR both cut the decimals off, take a peak
of 4095 though the data end at 2500, which adds 20 log10(4095 / 2500) = 4.286 dB, and give 100 dB where nothing differs.
DX2CT averages as PerX2CT does: three plane volumes, each against its own stack of the truth.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dx2ct.metrics.scale import Array, levels, unit

PIXEL_MAX = 4095
NO_ERROR_DB = 100.0
PERX2CT_SSIM_RANGE = 2.0  # scikit-image 0.19 took the range of floats, -1..1, when none was given


def x2ct_psnr_db(truth: Array, image: Array) -> float:
    """Peak signal-to-noise ratio of X2CT, dB: of every slice, mean over an axis's slices, mean over the three axes.

    truth, image: (z, y, x) HU. Whole grey levels of HU + 1024, peak 4095, 100 dB for a slice without error.
    The prediction is not clipped. Slices of air count, and raise the mean: this is no 3-D PSNR.
    """
    error = _squared_error(truth, image)
    each = [_psnr_db(error.mean(axis=axes)).mean() for axes in ((1, 2), (0, 2), (0, 1))]
    return float(np.mean(each))


def x2ct_psnr_3d_db(truth: Array, image: Array) -> float:
    """The `psnr-3d` of X2CT, dB: over the whole volume. Grey levels, peak and 100 dB as in `x2ct_psnr_db`."""
    return float(_psnr_db(np.asarray(_squared_error(truth, image).mean())))


def x2ct_ssim(truth: Array, image: Array) -> float:
    """Structural similarity of X2CT: 2-D in every slice, mean over the slices of an axis, mean over the three axes.

    truth, image: (z, y, x) HU, both clipped to [0, 1]. scikit-image with its uniform window of 7 x 7 pixels, unbiased
    covariances and a data range of 1.
    """
    pair = unit(truth), unit(image)
    each = []
    for axis in range(3):
        stacks = [np.ascontiguousarray(np.moveaxis(volume, axis, 0)) for volume in pair]
        each.append(structural_similarity(*stacks, data_range=1.0, channel_axis=0))
    return float(np.mean(each))


def perx2ct_psnr_db(truth: Array, image: Array) -> float:
    """Peak signal-to-noise ratio of PerX2CT, dB, for one plane volume: mean over its COLUMNS.

    truth, image: stacks (slice, row, column) HU (dx2ct/data/planes.py). The mean squared error is taken over slices and
    rows, so there is one PSNR for every column index, not for every slice. Whole grey levels, peak 4095, 100 dB for a
    column without error. The prediction is not clipped.
    """
    return float(_psnr_db(_squared_error(truth, image).mean(axis=(0, 1))).mean())


def perx2ct_ssim(truth: Array, image: Array) -> float:
    """Structural similarity of PerX2CT for one plane volume: 3-D, with twice the range that the data have.

    truth, image: stacks (slice, row, column) HU; the truth is clipped to [0, 1], the prediction is not. scikit-image
    with its uniform window of 7 cubed voxels, unbiased covariances and a data range of 2: small differences hide.
    """
    pair = unit(truth), unit(image, clip=False)
    return float(structural_similarity(*pair, data_range=PERX2CT_SSIM_RANGE))


def _squared_error(truth: Array, image: Array) -> NDArray[np.float64]:
    return np.asarray(levels(truth) - levels(image, clip=False), dtype=np.float64) ** 2


def _psnr_db(mse: NDArray[np.float64]) -> NDArray[np.float64]:
    safe = np.where(mse == 0, 1, mse)
    return np.where(mse == 0, NO_ERROR_DB, 10 * np.log10(PIXEL_MAX**2 / safe))
