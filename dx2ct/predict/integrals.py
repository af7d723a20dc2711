"""Line integrals as the xray stage writes them: MetaImage files that hold their own pixels."""

from pathlib import Path
import re
import zlib

import numpy as np
import SimpleITK as sitk

from drr.errors import InputError
from dx2ct.predict.xray import require_grey_levels, require_size, Xray

_ZLIB_OR_GZIP = 47  # as MetaIO takes either
_DATA_FILE = re.compile(rb"ElementDataFile\s*[=:]?([^\r\n]*)\r?\n?", re.IGNORECASE)
_COMPRESSED = re.compile(rb"^\s*CompressedData\s*[=:]\s*True\s*$", re.IGNORECASE | re.MULTILINE)
_BYTES = {sitk.sitkFloat32: 4, sitk.sitkFloat64: 8}


def read_integrals(path: Path) -> Xray:
    """Read what the xray stage writes; InputError for values that are no line integrals."""
    data = path.read_bytes()
    header = _header_of(data)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _require_one_image(reader)
        columns, rows = reader.GetSize()[:2]
        value_bytes = _BYTES[reader.GetPixelID()]
        require_size(rows, columns, value_bytes)
        if _COMPRESSED.search(header):
            _require_whole(data[len(header) :], rows * columns * value_bytes)
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"not a readable image ({str(error).strip().splitlines()[-1].strip()[:160]})") from None
    image = image if image.GetDimension() == 2 else image[..., 0]
    pixels = np.asarray(sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32)))
    require_grey_levels(pixels)
    facts = {
        "format": "mha",
        "spacing_mm": list(image.GetSpacing()[::-1]),
        "spacing_from": "ElementSpacing, at the detector",
    }
    return Xray(pixels, "integrals", path.name, facts)


def _header_of(data: bytes) -> bytes:
    """The header, the pixels follow it; InputError for pixels in another file.

    Wherever the file's text names a data file, in whatever case, line or comment, it must say LOCAL, and once: a reader
    that parses the header otherwise than this one then opens nothing else.
    """
    found = list(_DATA_FILE.finditer(data))
    if not found:
        raise InputError("not a MetaImage file (no ElementDataFile)")
    for match in found:
        if match[1].strip().upper() != b"LOCAL":
            named = match[1].strip().decode(errors="replace")[:80]
            raise InputError(f"its pixels are in another file, {named!r}: only ElementDataFile = LOCAL is read")
    if len(found) > 1:
        raise InputError("names ElementDataFile twice: the header is damaged")
    return data[: found[0].end()]


def _require_one_image(reader: sitk.ImageFileReader) -> None:
    size = list(reader.GetSize())
    while len(size) > 2 and size[-1] == 1:
        size.pop()
    if len(size) != 2:
        raise InputError(f"{' x '.join(map(str, size))} pixels: an X-ray is one image, not a stack")
    if reader.GetNumberOfComponents() != 1:
        raise InputError("has more than one value a pixel: line integrals are one")
    if reader.GetPixelID() not in _BYTES:
        kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
        raise InputError(f"{kind} are no line integrals: give a film as PNG, JPEG, TIFF, DICOM")


def _require_whole(packed: bytes, promised: int) -> None:
    """Inflate to the end: MetaIO keeps what it has and looks at neither length nor checksum."""
    inflate = zlib.decompressobj(wbits=_ZLIB_OR_GZIP)
    try:
        found = len(inflate.decompress(packed, promised + 1))
    except zlib.error as error:
        raise InputError(f"damaged pixels ({error}): fetch it again") from None
    if found != promised or not inflate.eof:
        raise InputError(f"damaged pixels, {found} of {promised} bytes: fetch it again")
