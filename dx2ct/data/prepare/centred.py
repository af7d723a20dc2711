"""A CT on the grid of a reconstruction, as the workflow puts the CTs that it scores: stages volume and slices."""

from dataclasses import replace

import numpy as np

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import VolumeSettings
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import to_cube

_SAME_MM = 1e-3
_SAME_AXES = 1e-3  # what a file's rounding may leave of a direction cosine
_FINE_MM = 1.0  # voxels that are averaged are not larger than this


def on_grid(volume: Volume, grid: Volume, settings: VolumeSettings) -> Volume:
    """HU of a CT, its middle in the middle of the grid, each voxel the mean over its extent, float32 (z, y, x).

    grid: a cube in patient axes that is as large as that of `settings`.
    """
    cube = to_cube(volume, settings)
    return replace(grid, array=area_resample(cube.array, grid.array.shape[0]))


def cube_of(grid: Volume) -> VolumeSettings:
    """The cube of a grid, in voxels of 1 mm or less; InputError where it is none, or oblique to the patient's axes."""
    voxels, spacing = grid.array.shape[0], grid.spacing_mm[0]
    if set(grid.array.shape) != {voxels} or not np.allclose(grid.spacing_mm, spacing, atol=_SAME_MM):
        raise InputError(f"{grid.array.shape} voxels of {grid.spacing_mm} mm are no cube: leave --centred out")
    if not np.allclose(np.reshape(grid.direction, (3, 3)), np.eye(3), atol=_SAME_AXES):
        raise InputError(
            "its axes are oblique to the patient's: write it along them, or take --resample, which follows them"
        )
    parts = int(np.ceil(spacing / _FINE_MM))
    return VolumeSettings(spacing_mm=spacing / parts, size=voxels * parts, z_part="center", interpolation="linear")
