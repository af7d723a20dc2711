"""Stage volume: one CT resampled to the cube that every later stage works on."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.ct.read import read_chest
from drr.ct.restated import Restated
from drr.ct.sources import note
from drr.errors import InputError
from drr.volume import AIR_HU, read_volume, Volume
from dx2ct.config import VolumeSettings
from dx2ct.config.keys import require_version
from dx2ct.data.prepare.separable import blocks, bspline, linear

_INTERPOLATORS = {"linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline}
_WEIGHTS = {"linear": linear, "bspline": bspline}
_PARALLEL = 1e-6
Point = NDArray[np.float64]
Parts = Iterable[tuple[slice, NDArray[np.float32]]]
"""Some slices of the cube, and their values."""


def make_volume(
    source: Path, settings: VolumeSettings, output: Path, series_uid: str | None, restated: Restated | None = None
) -> None:
    """Write the cube of one CT as int16 HU with its true origin (see `to_cube`); InputError names what is wrong.

    restated: what holds instead of the header of a volume file.
    """
    require_version(settings)
    volume = read_chest(source, series_uid, settings.max_hole_mm, restated)
    cube = to_cube(volume, settings)
    for remark in cut_remarks(volume, cube):
        note(f"{source}: {remark}")
    cube.write(output)


def to_cube(volume: Volume, settings: VolumeSettings) -> Volume:
    """Resample onto size cubed voxels along the patient's axes (LPS, z to the head), -1024 HU outside the scan.

    The cube is centred on the scan in x and y. A scan taller than the cube gives its z_part, a shorter one lies in the
    middle.
    """
    x, y, z = (_cube_centre(volume, settings) - (settings.size - 1) / 2 * settings.spacing_mm).tolist()
    corner, axes = np.array((x, y, z)), _patient_axes(volume)
    parts = _leaning(volume, corner, settings) if axes is None else _parallel(volume, axes, corner, settings)
    cube = np.full([settings.size] * 3, AIR_HU, np.int16)
    highest = volume.array.max()
    for new, hu in parts:
        cube[new] = np.clip(np.rint(hu, out=hu), AIR_HU, highest, out=hu)  # B-splines overshoot at edges
    return Volume(cube, (settings.spacing_mm,) * 3, (x, y, z))


def cut_remarks(volume: Volume, cube: Volume, least: float = 0.0) -> list[str]:
    """What of a scan's height the cube made of it leaves out: one remark, or none.

    least: share of the height from which on there is a remark; a voxel of the cube in any case.
    """
    half, middle = height_mm(volume) / 2, volume.centre_mm[2] - cube.centre_mm[2]
    feet, head = (max(half + side * middle - height_mm(cube) / 2, 0.0) for side in (-1, 1))
    if feet + head < max(cube.spacing_mm[2], least * 2 * half):
        return []
    return [
        f"the scan is {2 * half:.0f} mm tall, the cube {height_mm(cube):.0f} mm: "
        f"{feet:.0f} mm towards the feet and {head:.0f} mm towards the head are cut off (volume.z_part, volume.size)"
    ]


def height_mm(volume: Volume) -> float:
    """Extent along the patient's z axis."""
    extent_mm = np.array(volume.array.shape[::-1]) * volume.spacing_mm
    return float(np.abs(np.reshape(volume.direction, (3, 3))[2]) @ extent_mm)


def _patient_axes(volume: Volume) -> list[int] | None:
    """For the patient's x, y and z the array axis (0 is x) that runs along it, up or down; None for a leaning scan."""
    frame = np.abs(np.reshape(volume.direction, (3, 3)))
    axes: list[int] = frame.argmax(axis=1).tolist()
    return axes if np.allclose(frame, np.eye(3)[axes], atol=_PARALLEL) else None


def _parallel(volume: Volume, axes: list[int], corner: Point, settings: VolumeSettings) -> Parts:
    """The cube, (z, y, x), by one matrix for each patient axis."""
    weights = []
    for patient, axis in enumerate(axes):
        steps = np.reshape(volume.direction, (3, 3))[patient, axis].round() * volume.spacing_mm[axis]
        places = (corner[patient] + np.arange(settings.size) * settings.spacing_mm - volume.origin_mm[patient]) / steps
        weights.append(_WEIGHTS[settings.interpolation](volume.array.shape[2 - axis], places))
    array = volume.array.transpose([2 - axis for axis in reversed(axes)])
    return blocks(weights[::-1], array, AIR_HU)


def _leaning(volume: Volume, corner: Point, settings: VolumeSettings) -> Parts:
    """The cube, (z, y, x), of a scan whose axes are not the patient's."""
    grid = sitk.Image([settings.size] * 3, sitk.sitkInt16)
    grid.SetSpacing([settings.spacing_mm] * 3)
    grid.SetOrigin(corner.tolist())
    # float32: ITK cuts off decimals when it writes integers, which would pull every value towards 0 by half a unit
    interpolator = _INTERPOLATORS[settings.interpolation]
    image = sitk.Resample(volume.to_sitk(), grid, sitk.Transform(), interpolator, AIR_HU, sitk.sitkFloat32)
    return [(slice(None), np.asarray(sitk.GetArrayFromImage(image)))]


def _cube_centre(volume: Volume, settings: VolumeSettings) -> Point:
    """LPS mm."""
    centre = np.array(volume.centre_mm)
    spare_mm = max(height_mm(volume) - settings.size * settings.spacing_mm, 0.0) / 2
    centre[2] += {"inferior": -spare_mm, "center": 0.0, "superior": spare_mm}[settings.z_part]
    return centre


def read_cube(path: Path) -> Volume:
    """A volume of this stage; InputError for one whose axes are not the patient's."""
    volume = read_volume(path)
    if not volume.is_canonical:
        raise InputError(f"{path}: axes are not the patient's: prepare it with `python -m dx2ct volume` first")
    return volume
