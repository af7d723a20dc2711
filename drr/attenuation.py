"""From Hounsfield units to linear attenuation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MU_WATER_PER_MM = 0.022
AIR_BELOW_HU = -800.0


def plastimatch(hu: NDArray[Any]) -> NDArray[np.float32]:
    """Linear attenuation in 1/mm as plastimatch's `drr` computes it (drr.cxx, attenuation_lookup_hu).

    mu = 0.022 (1 + HU/1000) above -800 HU, and exactly 0 at -800 HU and below, which takes the lung's air out.
    """
    mu = hu.astype(np.float32)
    mu *= np.float32(MU_WATER_PER_MM / 1000)
    mu += np.float32(MU_WATER_PER_MM)
    mu[hu <= AIR_BELOW_HU] = 0
    return mu
