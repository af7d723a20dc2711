"""Stage volume: one CT resampled to the cube that every later stage works on."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from drr.ct.read import read_ct
from drr.volume import AIR_HU, Volume
from dx2ct.settings import check_version, VolumeSettings

VERSION = 1
_INTERPOLATORS = {"linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline}


def make_volume(source: Path, settings: VolumeSettings, output: Path, series_uid: str | None) -> None:
    """Write the cube of one CT as int16 HU with its true origin (see `to_cube`); InputError names what is wrong."""
    check_version("volume", VERSION, settings.version)
    to_cube(read_ct(source, series_uid), settings).write(output)


def to_cube(volume: Volume, settings: VolumeSettings) -> Volume:
    """Resample onto size cubed voxels along the patient's axes (LPS, z to the head), -1024 HU outside the scan.

    The cube is centred on the scan in x and y. A scan taller than the cube gives its z_part, a shorter one lies in the
    middle.
    """
    grid = sitk.Image([settings.size] * 3, sitk.sitkInt16)
    grid.SetSpacing([settings.spacing_mm] * 3)
    x, y, z = (_cube_centre(volume, settings) - (settings.size - 1) / 2 * settings.spacing_mm).tolist()
    grid.SetOrigin((x, y, z))
    # float32: ITK cuts off decimals when it writes integers, which would pull every value towards 0 by half a unit
    resampled = sitk.Resample(
        volume.to_sitk(), grid, sitk.Transform(), _INTERPOLATORS[settings.interpolation], AIR_HU, sitk.sitkFloat32
    )
    hu = sitk.GetArrayFromImage(resampled)
    np.clip(np.rint(hu, out=hu), AIR_HU, volume.array.max(), out=hu)  # B-splines overshoot at edges
    return Volume(hu.astype(np.int16), grid.GetSpacing(), grid.GetOrigin())


def _cube_centre(volume: Volume, settings: VolumeSettings) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """LPS mm."""
    centre = np.array(volume.centre_mm)
    extent_mm = np.array(volume.array.shape[::-1]) * volume.spacing_mm
    height_mm = float(np.abs(np.reshape(volume.direction, (3, 3))[2]) @ extent_mm)
    spare_mm = max(height_mm - settings.size * settings.spacing_mm, 0.0) / 2
    centre[2] += {"inferior": -spare_mm, "center": 0.0, "superior": spare_mm}[settings.z_part]
    return centre
