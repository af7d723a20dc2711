"""One X-ray of any file: a picture, a DICOM CR or DX image, or line integrals of the xray stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.ct.sources import kind_of
from drr.errors import InputError

MIN_SIDE, MAX_SIDE = 64, 8192
MAX_FILE_BYTES = 2**28
PICTURES = {
    ".png": "PNGImageIO",
    ".jpg": "JPEGImageIO",
    ".jpeg": "JPEGImageIO",
    ".tif": "TIFFImageIO",
    ".tiff": "TIFFImageIO",
}
_TAIL_BYTES = 1024
COLOUR_SPREAD = 0.05  # of the range: JPEG's chroma noise on a grey film stays below, a photographed one does not


@dataclass(frozen=True, eq=False)
class Xray:
    """An X-ray as its file stores it, bone bright where the file says which way it is.

    pixels: (row, column) float32. kind: `integrals`, dimensionless and exact, or `film`, grey in arbitrary units.
    facts: what the file says of itself, for the record. notes: what the user should know of it.
    """

    pixels: NDArray[np.float32]
    kind: Literal["film", "integrals"]
    name: str
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_xray(path: str | Path) -> Xray:
    """Read .png, .jpg, .tif, .mha (line integrals) or, of any other name, a DICOM CR or DX image.

    Raises InputError, naming the file, for what is no single grey X-ray of a sane size.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir() or size > MAX_FILE_BYTES:
            raise InputError("a folder is no X-ray: name one file" if path.is_dir() else f"{size} bytes are too many")
        kind = kind_of(path)
        if kind == "picture":
            xray = _read_picture(path)
        elif path.name.lower().endswith(".mha"):
            xray = _read_integrals(path)
        elif kind == "dicom":
            from dx2ct.predict.radiograph import read_radiograph

            xray = read_radiograph(path)
        else:
            raise InputError("not an X-ray file: PNG, JPEG, TIFF, DICOM (CR, DX) and .mha line integrals are read")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return xray


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()


def require_size(rows: int, columns: int) -> None:
    """InputError for an image too small to be a chest film, or larger than any detector."""
    if min(rows, columns) < MIN_SIDE or max(rows, columns) > MAX_SIDE:
        raise InputError(f"{columns} x {rows} pixels: a chest X-ray has {MIN_SIDE} to {MAX_SIDE} a side")


def require_grey_levels(pixels: NDArray[np.float32]) -> None:
    """InputError for an image that holds no picture."""
    if not np.isfinite(pixels).all():
        raise InputError("holds NaN or infinite values: replace them")
    if float(pixels.max()) <= float(pixels.min()):
        raise InputError(f"all pixels have the one value {float(pixels.flat[0]):g}: there is no image in it")


def _read_picture(path: Path) -> Xray:
    suffix = path.suffix.lower()
    if suffix not in PICTURES:
        raise InputError(f"pictures of type {suffix} are not read: save it as PNG")
    if PICTURES[suffix] == "JPEGImageIO" and b"\xff\xd9" not in path.read_bytes()[-_TAIL_BYTES:]:
        raise InputError(
            "the file is cut short (its end mark is missing): fetch it again"
        )  # ITK would pad it with grey
    image = _read_itk(path, PICTURES[suffix])
    array = np.asarray(sitk.GetArrayFromImage(image))
    if array.dtype not in (np.uint8, np.uint16):
        raise InputError(f"grey values of type {array.dtype}: 8 and 16 bits are read")
    pixels = _grey(array) if array.ndim == 3 else array.astype(np.float32)
    require_grey_levels(pixels)
    return Xray(pixels, "film", path.name, {"format": suffix[1:], "bits": 8 * array.dtype.itemsize})


def _grey(array: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.float32]:
    """A (row, column, channel) picture whose channels say the same, as one channel."""
    channels = np.asarray(array, np.float32)
    if channels.shape[2] in (2, 4):
        if float(channels[..., -1].min()) < np.iinfo(array.dtype).max:
            raise InputError("has transparent pixels: save it without an alpha channel")
        channels = channels[..., :-1]
    spread = np.quantile(np.ptp(channels, axis=2), 0.99)
    if spread > COLOUR_SPREAD * np.iinfo(array.dtype).max:
        raise InputError("a colour picture, not an X-ray: export the film in grey from its DICOM file")
    return np.asarray(channels.mean(axis=2))


def _read_integrals(path: Path) -> Xray:
    image = _read_itk(path, "MetaImageIO")
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError("has more than one value a pixel: line integrals are one")
    if image.GetPixelID() not in (sitk.sitkFloat32, sitk.sitkFloat64):
        raise InputError(
            f"{image.GetPixelIDTypeAsString()} are no line integrals: give a film as PNG, JPEG, TIFF, DICOM"
        )
    pixels = np.asarray(sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32)))
    require_grey_levels(pixels)
    facts = {
        "format": "mha",
        "spacing_mm": list(image.GetSpacing()[::-1]),
        "spacing_from": "ElementSpacing, at the detector",
    }
    return Xray(pixels, "integrals", path.name, facts)


def _read_itk(path: Path, image_io: str) -> sitk.Image:
    """The image, its size looked at before its pixels are decoded."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = list(reader.GetSize())
        while len(size) > 2 and size[-1] == 1:
            size.pop()
        if len(size) != 2:
            raise InputError(f"{' x '.join(map(str, size))} pixels: an X-ray is one image, not a stack")
        require_size(size[1], size[0])
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"not a readable image ({str(error).strip().splitlines()[-1].strip()[:160]})") from None
    return image if image.GetDimension() == 2 else image[..., 0]
