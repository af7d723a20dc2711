"""Volume files of any method, read as HU in patient axes, and what cannot be HU: said in one place."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from drr.errors import InputError
from drr.volume import AIR_HU, read_volume, Volume
from dx2ct.data.finite import require_finite

SANE_HU = (-8192.0, 32767.0)  # padding at one end, metal at the other
LEAST_SPAN_HU = 10.0  # a chest spans a thousand; whatever is normalised spans 1 or 2


def read_hu(path: Path) -> Volume:
    """The volume of a file, turned to patient axes (LPS), float32 HU; InputError, naming the file, for other values."""
    volume = read_volume(path)
    require_finite(path, volume)
    if not volume.is_canonical:
        volume = Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), "LPS"))
    require_hu(volume, path)
    return Volume(volume.array.astype(np.float32), volume.spacing_mm, volume.origin_mm, volume.direction)


def require_hu(volume: Volume, path: Path) -> None:
    """InputError for values that cannot be HU, with how to make them so."""
    low, high = float(volume.array.min()), float(volume.array.max())
    found = f"{path}: values lie in [{low:g}, {high:g}]"
    if high - low < LEAST_SPAN_HU:
        raise InputError(f"{found}: normalised, not HU: undo it (X2CT-GAN's rule: HU = 2500 v - 1024 for v in [0, 1])")
    if low >= 0:
        raise InputError(
            f"{found}: not HU, where air is near -1000: subtract the offset (often 1024) or scale them back"
        )
    if low < SANE_HU[0] or high > SANE_HU[1]:
        raise InputError(f"{found}: HU lie in [{SANE_HU[0]:g}, {SANE_HU[1]:g}]: replace padding by {AIR_HU}")


def resampled(volume: Volume, grid: Volume) -> Volume:
    """The volume on another grid: linear, air outside."""
    image = sitk.Resample(volume.to_sitk(), grid.to_sitk(), sitk.Transform(), sitk.sitkLinear, AIR_HU)
    return Volume.from_sitk(image)
