"""A random curve from HU to HU, which keeps their order, and noise of X-rays."""

import numpy as np
from numpy.typing import NDArray

from dx2ct.data.window import LOW_HU

# Air, lung, fat, soft tissue, contrast agent, bone and metal, and how far each is moved (standard deviation).
ANCHORS_HU = (-1024.0, -850.0, -100.0, 40.0, 300.0, 1000.0, 3072.0)
SPREAD_HU = (0.0, 40.0, 15.0, 15.0, 50.0, 150.0, 0.0)
LEAST_STEP_HU = 20.0


def draw_curve(generator: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """New HU of the whole numbers from -1024 to 3072, in order; strength 1 moves anchors by SPREAD_HU."""
    moved = np.array(ANCHORS_HU) + strength * generator.standard_normal(len(ANCHORS_HU)) * SPREAD_HU
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + LEAST_STEP_HU)
    whole = np.arange(ANCHORS_HU[0], ANCHORS_HU[-1] + 1)
    return np.asarray(np.interp(whole, ANCHORS_HU, moved), np.float32)


def through(curve: NDArray[np.float32], hu: NDArray[np.int16]) -> NDArray[np.float32]:
    """HU through a curve of `draw_curve`; values beyond its ends are those of the ends."""
    places = np.clip(hu.astype(np.int32) - int(LOW_HU), 0, len(curve) - 1)
    return np.asarray(curve[places])
