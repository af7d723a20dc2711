"""What training and reconstruction read of a prepared scan."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.errors import InputError
from drr.volume import Volume


def read_xrays(folder: Path, scan: str, views: Sequence[str], pixels: int) -> NDArray[np.float32]:
    """The scan's X-rays as the encoder sees them: (view, pixels, pixels), each stretched to [0, 1].

    Every image is averaged down to pixels x pixels and stretched from its minimum to its maximum, as X2CT-GAN and
    PerX2CT store theirs: absolute intensity is not kept, because a film does not have it either.
    """
    return np.stack([_stretched(image, pixels) for image in read_films(folder, scan, views)])


def read_films(folder: Path, scan: str, views: Sequence[str]) -> list[NDArray[np.float32]]:
    """The scan's X-rays as rendered, (row, column) line integrals each; InputError for what cannot be read."""
    return [_read_image(folder / "xrays" / scan / f"{view}.mha") for view in views]


def read_integrals(folder: Path, scan: str, views: Sequence[str], pixels: int) -> NDArray[np.float32]:
    """The scan's line integrals (dimensionless), averaged down to (view, pixels, pixels) and otherwise as they are."""
    films = read_films(folder, scan, views)
    if (least := min(min(film.shape) for film in films)) < pixels:
        raise InputError(f"{folder / 'xrays' / scan}: {least} pixels cannot be averaged to {pixels}: ask for fewer")
    return np.stack([_averaged(film, pixels) for film in films])


def read_stack(folder: Path, scan: str, plane: str, size: int | None = None) -> NDArray[np.int16]:
    """One plane's slices, (slice, row, column) int16 HU, memory-mapped; InputError where they are not `size` cubed."""
    path = folder / "slices" / scan / f"{plane}.npy"
    try:
        stack: NDArray[np.int16] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a slice stack ({error}): run the slices stage again") from None
    if size and stack.shape != (size, size, size):
        raise InputError(f"{scan}: slices are {stack.shape}, not {size} cubed: rerun the slices stage")
    return stack


def grid_like(volume_path: Path, size: int, array: NDArray[np.generic]) -> Volume:
    """`array` (size cubed) placed where the cube of the volume file lies, seen on the coarser grid."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(volume_path))
    reader.ReadImageInformation()
    old = np.array(reader.GetSpacing())
    new = old * reader.GetSize() / size
    x, y, z = (np.array(reader.GetOrigin()) + (new - old) / 2).tolist()
    return Volume(array, tuple(new.tolist()), (x, y, z))


def _read_image(path: Path) -> NDArray[np.float32]:
    try:
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(path), sitk.sitkFloat32))
    except RuntimeError:
        raise InputError(f"{path}: not a readable X-ray: run the xray stage again") from None
    return np.asarray(image)


def _averaged(image: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _stretched(image: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    small = _averaged(image, pixels)
    low, high = float(small.min()), float(small.max())
    return np.asarray((small - low) / max(high - low, float(np.finfo(np.float32).tiny)), dtype=np.float32)
