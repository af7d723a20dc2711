"""Every definition side by side for one pair of volumes."""

import numpy as np
from numpy.typing import NDArray

from dx2ct.data.planes import to_plane
from dx2ct.metrics.fast import ssims
from dx2ct.metrics.published import perx2ct_psnr_db, x2ct_psnr_3d_db, x2ct_psnr_db
from dx2ct.metrics.scale import Array
from dx2ct.metrics.strict import mae_body_hu, mae_hu, psnr_db

COLUMNS = (
    "psnr_db",
    "ssim",
    "mae_hu",
    "ssim_slices",
    "mae_body_hu",
    "x2ct_psnr_db",
    "x2ct_psnr_3d_db",
    "x2ct_ssim",
    "perx2ct_psnr_db",
    "perx2ct_ssim",
)
SMALLEST = 11  # voxels along each axis: the window of SSIM


def score_pair(
    truth: Array, image: Array, body: NDArray[np.bool_], plane: str, data_range_hu: float
) -> dict[str, float]:
    """All metrics of COLUMNS for two volumes (z, y, x) in HU; body is the truth's `body_mask`.

    plane: whose slices and columns the slice-wise metrics see. data_range_hu is for psnr_db alone.
    """
    scores = {
        "psnr_db": psnr_db(truth, image, data_range_hu),
        "mae_hu": mae_hu(truth, image),
        "mae_body_hu": mae_body_hu(truth, image, body),
        "x2ct_psnr_db": x2ct_psnr_db(truth, image),
        "x2ct_psnr_3d_db": x2ct_psnr_3d_db(truth, image),
        "perx2ct_psnr_db": perx2ct_psnr_db(to_plane(truth, plane), to_plane(image, plane)),
        **ssims(truth, image, plane),
    }
    return {name: scores[name] for name in COLUMNS}
