"""From one canonical volume to what the networks are trained on: X-rays and slice stacks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.caster import render
from drr.errors import InputError
from drr.files import replacing
from drr.geometry import PROTOCOL_VIEWS
from drr.volume import read_volume, Volume
from dx2ct.config import check_version, SlicesSettings, XraySettings
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.prepare.separable import apply, area

XRAY_VERSION = 1
SLICES_VERSION = 1


def make_xrays(source: Path, settings: XraySettings, output: Path, backend: str = "auto", threads: int = 0) -> None:
    """Render the protocol's views of a volume around its centre: output/{view}.mha, float32 line integrals.

    The image is (row, column) with the detector's pixel spacing in mm; its frame is the one of drr/geometry.py.
    """
    check_version("xray", XRAY_VERSION, settings.version)
    volume = _read_canonical(source)
    beam = settings.cone_beam
    views = [beam.view(name, volume.centre_mm) for name in PROTOCOL_VIEWS]
    for name, pixels in zip(PROTOCOL_VIEWS, render(volume, views, backend, threads=threads), strict=True):
        image = sitk.GetImageFromArray(pixels)
        image.SetSpacing(beam.pixel_mm[::-1])
        with replacing(output / f"{name}.mha") as part:
            sitk.WriteImage(image, str(part))


def make_slices(source: Path, settings: SlicesSettings, output: Path) -> None:
    """Average a cubic volume down to the training grid: output/{plane}.npy, int16 HU, (slice, row, column)."""
    check_version("slices", SLICES_VERSION, settings.version)
    volume = _read_canonical(source)
    if len(set(volume.array.shape)) != 1 or settings.size > volume.array.shape[0]:
        raise InputError(
            f"{source}: {volume.array.shape} voxels cannot be averaged to a cube of {settings.size}: "
            "slices.size must not exceed volume.size"
        )
    grid = np.rint(area_resample(volume.array, settings.size)).astype(np.int16)
    for plane in PLANES:
        with replacing(output / f"{plane}.npy") as part:
            np.save(part, np.ascontiguousarray(to_plane(grid, plane)))


def area_resample(array: NDArray[np.generic], size: int) -> NDArray[np.float32]:
    """A (z, y, x) array on a coarser cube grid of the same box: every new voxel is the mean over its own extent.

    The box average is the anti-aliasing filter; the mean of the whole volume is kept exactly.
    """
    return apply([area(old, size) for old in array.shape], array)


def _read_canonical(path: Path) -> Volume:
    volume = read_volume(path)
    if not volume.is_canonical:
        raise InputError(f"{path}: axes are not the patient's: prepare it with `python -m dx2ct volume` first")
    return volume
