"""X-rays that ITK reads: pictures, and the line integrals of the xray stage."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.errors import InputError
from dx2ct.predict.xray import require_grey_levels, require_size, Xray

PICTURES = {
    ".png": "PNGImageIO",
    ".jpg": "JPEGImageIO",
    ".jpeg": "JPEGImageIO",
    ".tif": "TIFFImageIO",
    ".tiff": "TIFFImageIO",
}
_TAIL_BYTES = 1024
COLOUR_SPREAD = 0.05  # of the range: JPEG's chroma noise on a grey film stays below, a photographed one does not


def read_picture(path: Path) -> Xray:
    """Read a picture of grey levels as a film; InputError for colour, transparency, other types and files cut short."""
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


def read_integrals(path: Path) -> Xray:
    """Read what the xray stage writes; InputError for values that are no line integrals."""
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
