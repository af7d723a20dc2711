"""Films in pictures: what PNG, JPEG and TIFF files say of themselves is looked at before their pixels are decoded."""

from io import BytesIO
from pathlib import Path
from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drr.errors import InputError
from dx2ct.predict.decode import decoded
from dx2ct.predict.jpeg import read_jpeg
from dx2ct.predict.tiff import read_tiff
from dx2ct.predict.turn import BY_ORIENTATION
from dx2ct.predict.xray import MAX_SIDE, require_grey_levels, require_size, Xray

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
_ORIENTATION = 0x0112  # of EXIF, as of TIFF
_PNG_BIT_DEPTH_AT = 24  # byte 8 of IHDR, the first chunk
COLOUR_SPREAD = 0.05  # of the range: JPEG's chroma noise on a grey film stays below, a photographed one does not
COLOURED = 0.01  # of the pixels, which may be more coloured than that
_EXIF_IFD, _OF_A_CAMERA = 0x8769, {"ExposureTime": 0x829A, "FNumber": 0x829D, "FocalLength": 0x920A}
WIDEST, TALLEST = 1.3, 1.5  # of films, which are 350 x 430 mm or square; cropped laterals are taller
UNLIKE = 0.05  # by how much two resolutions of a picture may differ


def read_picture(path: Path) -> Xray:
    """Read a picture of grey levels as a film, turned as its orientation tag says, TIFF's MINISWHITE inverted.

    Raises InputError for colour, transparency, other types, files cut short and pictures too large for memory.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"pictures of type {suffix} are not read: save it as PNG")
    data = path.read_bytes()
    steps, notes, orientation = [], [], 1
    if FORMATS[suffix] == "TIFF":
        tiff = read_tiff(data)
        array, orientation = tiff.pixels, tiff.orientation
        steps += ["MINISWHITE inverted"] if tiff.inverted else []
        unlike = tiff.resolution
    else:
        orientation, unlike = _tags(data, FORMATS[suffix])
        array = read_jpeg(data) if FORMATS[suffix] == "JPEG" else _read_png(data)
    if array.dtype not in (np.uint8, np.uint16):
        raise InputError(f"grey values of type {array.dtype}: 8 and 16 bits are read")
    pixels = _grey(array) if array.ndim == 3 else array.astype(np.float32)
    require_grey_levels(pixels)
    if turn := BY_ORIENTATION.get(orientation):
        pixels = np.ascontiguousarray(turn.of(pixels))
        steps.append(f"{turn} by its orientation tag, {orientation}")
    notes += steps
    if max(unlike) > (1 + UNLIKE) * min(unlike):
        notes.append(
            f"says that its pixels are not square ({unlike[0]:g} by {unlike[1]:g} an inch): if so, resample it"
        )
    notes += _photograph(data, *pixels.shape)
    facts = {"format": suffix[1:], "bits": 8 * array.dtype.itemsize, "steps": steps}
    return Xray(pixels, "film", path.name, facts, tuple(notes))


def _tags(data: bytes, kind: str) -> tuple[int, tuple[float, float]]:
    """Orientation and the resolutions along x and y; InputError for another format and for what is too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(data), formats=(kind,))
    except Image.DecompressionBombError:
        raise InputError(f"more pixels than a chest X-ray has, at most {MAX_SIDE} a side") from None
    except (OSError, ValueError, SyntaxError):  # Pillow's words are about its own stream, not about the file
        raise InputError(f"not a readable image of type {kind}: fetch it again, or save it as PNG") from None
    if image.mode == "CMYK":
        raise InputError("a colour picture, not an X-ray: export the film in grey from its DICOM file")
    depth = 2 if kind == "PNG" and data[_PNG_BIT_DEPTH_AT] == 16 else 1
    channels = {"L": 1, "I;16": 1, "I": 1, "1": 1, "RGB": 3}.get(image.mode, 4)  # OpenCV makes four of grey with alpha
    require_size(image.height, image.width, channels * depth)
    if (images := getattr(image, "n_frames", 1)) > 1:
        raise InputError(f"{images} images in one file: give one X-ray")
    x, y = image.info.get("dpi") or image.info.get("aspect") or (1, 1)
    unlike = (float(x), float(y)) if min(x, y) > 0 else (1.0, 1.0)
    try:
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, TypeError):  # a damaged EXIF block is no orientation
        orientation = 1
    return orientation, unlike


def _read_png(data: bytes) -> NDArray[Any]:
    """The pixels, after every chunk's checksum; InputError for a damaged file, and for fewer than 8 bits."""
    try:
        Image.open(BytesIO(data), formats=("PNG",)).verify()  # libpng would tell the terminal
    except (OSError, ValueError, SyntaxError):
        raise InputError("not a readable image: it is cut short or damaged: fetch it again") from None
    if (bits := data[_PNG_BIT_DEPTH_AT]) < 8:
        raise InputError(f"grey values of {bits} bits: 8 and 16 bits are read: export it anew with all its greys")
    return decoded(data)


def _photograph(data: bytes, rows: int, columns: int) -> list[str]:
    """A line where a picture was taken by a camera, or has a camera's or a screen's shape."""
    cure = "cut the film out with --crop, or better export it from its DICOM file"
    try:
        taken = Image.open(BytesIO(data)).getexif().get_ifd(_EXIF_IFD)
    except (OSError, ValueError, SyntaxError, TypeError):
        taken = {}
    if said := [name for name, tag in _OF_A_CAMERA.items() if tag in taken]:
        return [f"a photograph, EXIF says its {said[0]}: perspective, glare and grey are the camera's: {cure}"]
    if columns > WIDEST * rows or rows > TALLEST * columns:
        return [f"{columns} x {rows} pixels: no film has this shape, a photograph or a screen may have: {cure}"]
    return []


def _grey(array: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.float32]:
    """A (row, column, channel) picture whose channels say the same, as one channel."""
    top = np.iinfo(array.dtype).max
    if array.shape[2] in (2, 4):
        if int(array[..., -1].min()) < top:
            raise InputError("has transparent pixels: save it without an alpha channel")
        array = array[..., :-1]
    spread = np.ptp(array, axis=2)
    if np.count_nonzero(spread > COLOUR_SPREAD * top) > COLOURED * spread.size:
        raise InputError("a colour picture, not an X-ray: export the film in grey from its DICOM file")
    return np.asarray(array.mean(axis=2, dtype=np.float32))
