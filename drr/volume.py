"""A CT volume with its place in the patient, and its files."""

from dataclasses import dataclass
import gzip
from pathlib import Path
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.ct.limits import SUFFIXES as SUFFIXES
from drr.ct.stored import read_as_stored
from drr.errors import InputError
from drr.files import replacing

AIR_HU = -1024
WRITTEN = (".mha", ".nii", ".nii.gz", ".nrrd")
_NIFTI_HEADER_BYTES = 352
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and their position.

    array: (z, y, x), HU for a CT. Where only the place counts, as for a grid, it is not read: see Volume.empty.
    spacing_mm, origin_mm: per axis x, y, z; the origin is the centre of voxel [0, 0, 0] in DICOM LPS patient axes
        (x to the patient's left, y to the posterior, z to the head).
    direction: 3 x 3, row-major as in ITK: column i is the patient direction of array axis i, in the order x, y, z.
    Raises InputError for spacing that is not positive, a direction that is not orthonormal, or a wrong shape.
    """

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...] = _IDENTITY

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise InputError(f"a volume has three non-empty axes (z, y, x), this one has shape {self.array.shape}")
        if not all(np.isfinite(self.spacing_mm)) or min(self.spacing_mm) <= 0:
            raise InputError(f"voxel spacing must be positive, not {self.spacing_mm} mm")
        frame = np.reshape(self.direction, (3, 3))
        if not np.allclose(frame.T @ frame, np.eye(3), atol=1e-4):
            raise InputError(f"direction is not orthonormal: {self.direction}")

    @classmethod
    def empty(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        origin_mm: tuple[float, float, float],
        direction: tuple[float, ...] = _IDENTITY,
    ) -> "Volume":
        """A place alone: zeros of shape (z, y, x) that take no memory and cannot be written to."""
        return cls(np.broadcast_to(np.float32(0), shape), spacing_mm, origin_mm, direction)

    @property
    def is_canonical(self) -> bool:
        """True when the array axes are the patient axes (identity direction)."""
        return bool(np.allclose(self.direction, _IDENTITY, atol=1e-6))

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Sides of the box along the axes x, y, z of the array."""
        x, y, z = (n * step for n, step in zip(self.array.shape[::-1], self.spacing_mm, strict=True))
        return x, y, z

    @property
    def centre_mm(self) -> tuple[float, float, float]:
        """Centre of the box in patient LPS mm."""
        half = (np.array(self.array.shape[::-1]) - 1) / 2 * self.spacing_mm
        x, y, z = np.array(self.origin_mm) + np.reshape(self.direction, (3, 3)) @ half
        return float(x), float(y), float(z)

    def to_sitk(self) -> sitk.Image:
        """The same volume as a SimpleITK image."""
        image = sitk.GetImageFromArray(self.array)
        image.SetSpacing(self.spacing_mm)
        image.SetOrigin(self.origin_mm)
        image.SetDirection(self.direction)
        return image

    @classmethod
    def from_sitk(cls, image: sitk.Image) -> "Volume":
        """A 3-D scalar SimpleITK image as a Volume."""
        return cls(sitk.GetArrayFromImage(image), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    def write(self, path: str | Path) -> None:
        """Write .mha, .nrrd, .nii or .nii.gz (by suffix), whole or not at all.

        ITK's NIfTI writer says nothing of a full disk, so such a file is counted: InputError when bytes are missing.
        """
        require_written(Path(path))
        with replacing(path) as part:
            sitk.WriteImage(self.to_sitk(), str(part))
            if part.name.lower().endswith((".nii", ".nii.gz")) and not _is_whole(part, self.array.nbytes):
                raise InputError(f"{path}: did not arrive whole, is the disk full?")


def read_volume(path: str | Path) -> Volume:
    """Read a NIfTI, MetaImage or NRRD file as it is stored: no reorientation, no change of values.

    Raises InputError when the file cannot be read, is damaged, is not one 3-D scalar image, or does not state its
    voxel spacing and orientation.
    """
    array, place = read_as_stored(Path(path))
    return Volume(array, place.spacing_mm, place.origin_mm, place.direction)


def require_written(path: Path) -> None:
    """InputError for a name that no volume can be written to: another suffix, or letters that ITK cannot open."""
    if not path.name.lower().endswith(WRITTEN):
        raise InputError(f"{path}: no volume is written to it, its name ends in none of {', '.join(WRITTEN)}")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{path!a}: a name that is not UTF-8: rename it") from None


def _is_whole(nifti: Path, voxel_bytes: int) -> bool:
    """Has a NIfTI file just written as many bytes as it must? Reading a .nii.gz to its end checks its CRC, too."""
    size = 0
    try:
        with gzip.open(nifti) if nifti.name.lower().endswith(".gz") else nifti.open("rb") as file:
            while block := file.read(2**20):
                size += len(block)
    except (OSError, EOFError, zlib.error):
        return False
    return size >= _NIFTI_HEADER_BYTES + voxel_bytes
