"""Image metrics of a reconstruction against its CT: pure functions of two arrays in HU.

Published numbers of this task differ by rule more than by method, so every rule in use has its own name and stands
beside the others: `strict` is what this project reports, `published` what X2CT-GAN and PerX2CT compute. docs/metrics.md
is the table of definitions.
"""

from dx2ct.metrics.body import body_mask
from dx2ct.metrics.matrix import COLUMNS, score_pair
from dx2ct.metrics.published import perx2ct_psnr_db, perx2ct_ssim, x2ct_psnr_3d_db, x2ct_psnr_db, x2ct_ssim
from dx2ct.metrics.scale import Array, Distance
from dx2ct.metrics.strict import mae_body_hu, mae_hu, psnr_db, ssim, ssim_slices

__all__ = [
    "COLUMNS",
    "Array",
    "Distance",
    "body_mask",
    "mae_body_hu",
    "mae_hu",
    "perx2ct_psnr_db",
    "perx2ct_ssim",
    "psnr_db",
    "score_pair",
    "ssim",
    "ssim_slices",
    "x2ct_psnr_3d_db",
    "x2ct_psnr_db",
    "x2ct_ssim",
]
