"""What training and reconstruction read of a prepared scan."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.errors import InputError
from drr.progress import each
from dx2ct import layout
from dx2ct.data.grid import CubeGrid
from dx2ct.data.window import windowed

Array = NDArray[np.float32]


def read_xrays(data: Path, scan: str, views: Iterable[str]) -> dict[str, Array]:
    """The scan's line integrals as rendered, {view: (row, column)}; InputError for what cannot be read."""
    return {view: _read_image(layout.xray(data, scan, view)) for view in views}


def read_styled(styles: Path, scan: str, views: Iterable[str]) -> dict[str, Array]:
    """The scan's X-rays in the style of films, as of `read_xrays`; styles: the folder with one for each view."""
    return {view: _read_image(layout.styled(styles / view, scan), "style-transfer") for view in views}


def read_stack(data: Path, scan: str, plane: str, size: int | None = None) -> NDArray[np.int16]:
    """One plane's slices, (slice, row, column) int16 HU, memory-mapped; InputError where they are not `size` cubed."""
    path = layout.stack(data, scan, plane)
    try:
        stack: NDArray[np.int16] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a slice stack ({error}): run the slices stage again") from None
    if size and stack.shape != (size, size, size):
        raise InputError(f"{scan}: slices are {stack.shape}, not {size} cubed: rerun the slices stage")
    return stack


def mean_hu(data: Path, scans: Sequence[str], size: int) -> NDArray[np.float64]:
    """The mean of scans on the training grid, (z, y, x) HU, each clipped to the window first."""
    stacks = (read_stack(data, scan, "axial", size) for scan in each(scans, "mean volume", "scan"))
    return np.asarray(sum(map(windowed, stacks)) / len(scans))


def read_grid(data: Path, scan: str, size: int) -> CubeGrid:
    """Where the scan's cube lies, seen on a grid of `size` voxels a side; InputError where it cannot be read."""
    path = layout.volume(data, scan)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise InputError(f"{path}: not a readable volume: run the volume stage again") from None
    old = np.array(reader.GetSpacing())
    first = np.array(reader.GetOrigin())
    x, y, z = (first + (np.array(reader.GetSize()) - 1) / 2 * old).tolist()
    return CubeGrid(size, float(old[0] * reader.GetSize()[0] / size), (x, y, z))


def averaged(image: Array, pixels: int) -> Array:
    """An image averaged down to pixels x pixels by area; InputError for one that is smaller."""
    if min(image.shape) < pixels:
        raise InputError(f"an X-ray of {image.shape} cannot be averaged to {pixels} pixels a side: ask for fewer")
    return np.asarray(cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA), dtype=np.float32)


def stretched(image: Array, pixels: int) -> Array:
    """An image as networks see it: averaged down to pixels x pixels and stretched from its extremes to [0, 1].

    As X2CT-GAN and PerX2CT store theirs: absolute intensity is not kept, because a radiograph does not have it either.
    """
    small = averaged(image, pixels)
    low, high = float(small.min()), float(small.max())
    return np.asarray((small - low) / max(high - low, float(np.finfo(np.float32).tiny)), dtype=np.float32)


def as_seen(images: Mapping[str, Array], views: Iterable[str], pixels: int) -> Array:
    """(view, pixels, pixels) in [0, 1] of some views in their order."""
    return np.stack([stretched(images[view], pixels) for view in views])


def _read_image(path: Path, stage: str = "xray") -> Array:
    try:
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(path), sitk.sitkFloat32))
    except RuntimeError:
        raise InputError(f"{path}: not a readable X-ray: run the {stage} stage again") from None
    return np.asarray(image)
