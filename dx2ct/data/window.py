"""Between Hounsfield units and what the networks see.

X2CT-GAN's rule, kept by PerX2CT and DX2CT: HU + 1024 clipped to 0..2500 and divided by 2500; here mapped on to [-1, 1].
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

LOW_HU = -1024.0
WIDTH_HU = 2500.0
T = TypeVar("T", bound=np.generic)


def windowed(hu: NDArray[np.generic]) -> NDArray[np.float64]:
    """HU, clipped to the window [-1024, 1476] HU."""
    return np.clip(hu.astype(np.float64), LOW_HU, LOW_HU + WIDTH_HU)


def to_network(hu: NDArray[T]) -> NDArray[np.float32]:
    """HU to [-1, 1], clipped to the window [-1024, 1476] HU."""
    scaled = (hu.astype(np.float32) - np.float32(LOW_HU)) * np.float32(2 / WIDTH_HU) - np.float32(1)
    return np.asarray(np.clip(scaled, -1, 1))


def to_hu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[-1, 1] to HU; values outside are clipped to the window first."""
    return (np.clip(values, -1, 1) + np.float32(1)) * np.float32(WIDTH_HU / 2) + np.float32(LOW_HU)
