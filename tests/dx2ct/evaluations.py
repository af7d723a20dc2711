"""Two arrays as a metric sees them."""

from typing import Any

import numpy as np

from drr.volume import Volume
from dx2ct.metrics import Evaluation, Truth


def evaluation(truth: np.ndarray, image: np.ndarray, plane: str = "axial", **known: Any) -> Evaluation:
    """Of two volumes (z, y, x) in HU with voxels of 2 mm; known: what else a `Truth` knows."""
    ct = Volume(np.asarray(truth), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    return Evaluation(Truth(ct, **known), np.asarray(image), plane)
