"""Scans of noise in the form that training reads: to measure a training where no data has been prepared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from dx2ct.data.planes import PLANES


def fabricate_scans(scans: Sequence[str], views: Sequence[str], size: int, data: Path) -> None:
    """Write slices/SCAN/PLANE.npy, int16 HU of (size, size, size), and xrays/SCAN/VIEW.mha of twice the side."""
    for number, scan in enumerate(scans):
        random = np.random.default_rng(number)
        for kind in ("slices", "xrays"):
            (data / kind / scan).mkdir(parents=True)
        for plane in PLANES:
            hu = random.integers(-1024, 1476, (size, size, size), dtype=np.int16)
            np.save(data / "slices" / scan / f"{plane}.npy", hu)
        for view in views:
            image = sitk.GetImageFromArray(random.random((2 * size, 2 * size), dtype=np.float32))
            sitk.WriteImage(image, str(data / "xrays" / scan / f"{view}.mha"))
