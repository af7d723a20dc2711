"""The scales on which metrics look at HU: the window in HU, the window as [0, 1], whole grey levels from 0."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dx2ct.data.window import LOW_HU, WIDTH_HU

Array = NDArray[np.generic]
Distance = Callable[[Array, Array], float]  # of two stacks or volumes in HU


def unit(volume: Array, clip: bool = True) -> NDArray[np.float32]:
    """(HU + 1024) / 2500, the window as [0, 1]; float32, which moves a mean SSIM by less than 1e-6."""
    scaled = (volume.astype(np.float32) - np.float32(LOW_HU)) / np.float32(WIDTH_HU)
    return np.clip(scaled, 0, 1) if clip else scaled


def levels(volume: Array, clip: bool = True) -> NDArray[np.int32]:
    """HU + 1024 without its decimals, as `astype(int32)` cuts them off (towards 0)."""
    shifted = volume.astype(np.float64) - LOW_HU
    return (np.clip(shifted, 0, WIDTH_HU) if clip else shifted).astype(np.int32)
