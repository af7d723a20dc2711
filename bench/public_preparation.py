"""CT preparation as the public scripts do it, for comparison: python bench/public_preparation.py SCAN.zip FOLDER

Written anew from a description of what they do, step by step: pydicom over all files, slices sorted by InstanceNumber,
SliceThickness as the step, scipy's cubic zoom to 1 mm, 320 voxels cut out of the middle (of z the last ones) or padded
with air, then for each plane a linear zoom of the slicing axis to 128, and every slice zoomed to 128 x 128 and written
by itself. They write HDF5 and use three processes with files between them; .npy and one process are to their advantage.
"""

from io import BytesIO
from pathlib import Path
import sys
import zipfile

import numpy as np
from numpy.typing import NDArray
import pydicom
from scipy import ndimage

SIDE, SLICES = 320, 128
Array = NDArray[np.int16]


def read(path: Path) -> tuple[Array, tuple[float, float, float]]:
    """HU (z, y, x) in the order of InstanceNumber, and the voxel size in mm."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dcm")]
        files = [pydicom.dcmread(BytesIO(archive.read(name))) for name in names]
    files.sort(key=lambda file: int(file.InstanceNumber))
    hu = np.stack([file.pixel_array * file.RescaleSlope + file.RescaleIntercept for file in files]).astype(np.int16)
    rows_mm, columns_mm = map(float, files[0].PixelSpacing)
    return hu, (float(files[0].SliceThickness), rows_mm, columns_mm)


def resample(hu: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """To voxels of 1 mm."""
    resampled: Array = ndimage.zoom(hu, spacing_mm, order=3, mode="nearest")
    return resampled


def crop(volume: Array) -> Array:
    """320 voxels along each axis."""
    for axis, size in enumerate(volume.shape):
        if size < SIDE:
            before = (SIDE - size) // 2
            pad = [(0, 0)] * 3
            pad[axis] = (before, SIDE - size - before)
            volume = np.pad(volume, pad, constant_values=-1024)
        first = volume.shape[axis] - SIDE if axis == 0 else (volume.shape[axis] - SIDE) // 2
        volume = volume.take(range(first, first + SIDE), axis=axis)
    return volume


def write_slices(volume: Array, folder: Path) -> None:
    """128 files for each of three planes."""
    for axis, plane in enumerate(("axial", "coronal", "sagittal")):
        factors = [1.0, 1.0, 1.0]
        factors[axis] = SLICES / SIDE
        stack = np.moveaxis(ndimage.zoom(volume, factors, order=1), axis, 0)
        (folder / plane).mkdir(parents=True, exist_ok=True)
        for k, image in enumerate(stack):
            np.save(folder / plane / f"{k:03}.npy", ndimage.zoom(image, SLICES / SIDE, order=1))


if __name__ == "__main__":
    scan, output = map(Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    cube = crop(resample(*read(scan)))
    np.save(output / "volume.npy", cube)
    write_slices(cube, output)
