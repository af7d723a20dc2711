"""A TIFF's tags, read by tifffile; its pixels are decoded by OpenCV, which knows more packings.

OpenCV honours an orientation in some kinds of TIFF and MINISWHITE in others; so it is given a copy without them.
"""

from io import BytesIO
import logging
import math
import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
import tifffile

from drr.errors import InputError
from dx2ct.predict.decode import decoded
from dx2ct.predict.xray import require_size

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # one line of ours says what is wrong
_PHOTOMETRIC, _ORIENTATION = 262, 274
_MIN_IS_WHITE, _MIN_IS_BLACK = 0, 1
_KNOWN = (0, 1, 2, 3, 6)  # white is 0, black is 0, RGB, palette, YCbCr
_UNSIGNED, _TOGETHER = 1, 1


class Tiff(NamedTuple):
    """The one image. pixels: (row, column) or (row, column, channel), MINISWHITE inverted, not turned."""

    pixels: NDArray[Any]
    orientation: int
    inverted: bool
    resolution: tuple[float, float]


def read_tiff(data: bytes) -> Tiff:
    """Read one image; InputError for several, and for pixels that are not whole numbers of 8 or 16 bits."""
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            page: Any = file.pages[0]
            _require_one_grey_image(file, page, len(data))
            photometric, orientation = int(page.photometric), _number(page, _ORIENTATION, 1)
            resolution = (_fraction(page, "XResolution"), _fraction(page, "YResolution"))
            shape, bits, inverted = page.shape[:2], page.bitspersample, photometric == _MIN_IS_WHITE
            plain = _without(file, page, data, {_ORIENTATION: 1} | ({_PHOTOMETRIC: _MIN_IS_BLACK} if inverted else {}))
    except InputError:
        raise
    except Exception as error:  # tifffile meets malformed tags with a dozen exception types
        raise InputError(f"not a readable image ({str(error)[:100]}): fetch it again") from None
    pixels = decoded(plain)
    if pixels.shape[:2] != shape or pixels.dtype.itemsize * 8 != bits:
        raise InputError("not a readable image: its pixels are not what its tags promise: save it as PNG")
    pixels = np.iinfo(pixels.dtype).max - pixels if inverted else pixels
    return Tiff(pixels, orientation, inverted, resolution if min(resolution) > 0 else (1, 1))


def _require_one_grey_image(file: tifffile.TiffFile, page: Any, size: int) -> None:
    others = [one for one in list(file.pages)[1:] if not getattr(one, "is_reduced", False)]
    images = 1 + len(others) if others else _of_one_page(file, page)
    if images > 1:
        raise InputError(f"{images} images in one file: give one X-ray")
    samples, bits = int(page.samplesperpixel), page.bitspersample
    if bits not in (8, 16) or int(page.sampleformat) != _UNSIGNED:
        kind = tifffile.SAMPLEFORMAT(page.sampleformat).name.lower()
        raise InputError(f"grey values of {bits} bits ({kind}): whole numbers of 8 and 16 bits without a sign are read")
    if int(page.photometric) not in _KNOWN or (samples > 1 and page.planarconfig != _TOGETHER):
        raise InputError(f"pixels are {page.photometric.name}, or apart by channel: save it in grey")
    if samples not in (1, 3, 4):
        raise InputError(f"{samples} values a pixel: save it in grey, without an alpha channel")
    require_size(page.imagelength, page.imagewidth, max(samples, 3 if page.photometric == 3 else 1) * bits // 8)
    ends = (at + count for at, count in zip(page.dataoffsets, page.databytecounts, strict=True))
    if max(ends, default=size + 1) > size:
        raise InputError("the file is cut short inside its pixels: fetch it again")


def _of_one_page(file: tifffile.TiffFile, page: Any) -> int:
    """How many images a description says to lie behind the tags of one, as tifffile and ImageJ write large stacks.

    tifffile's own `series` would do, but may open other files that a description names.
    """
    images, own = [int((file.imagej_metadata or {}).get("images", 1))], tuple(page.shape)
    for said in file.shaped_metadata or ():
        shape = tuple(said.get("shape", own))
        if shape[-len(own) :] == own:
            images.append(math.prod(shape[: -len(own)]))
    return max(images)


def _without(file: tifffile.TiffFile, page: Any, data: bytes, values: dict[int, int]) -> bytes:
    """The file with other values of some tags that hold one short number."""
    copy = bytearray(data)
    for code, value in values.items():
        tag = page.tags.get(code)
        if tag is not None:
            struct.pack_into(f"{file.byteorder}H", copy, tag.valueoffset, value)
    return bytes(copy)


def _number(page: Any, code: int, missing: int) -> int:
    tag = page.tags.get(code)
    return missing if tag is None else int(tag.value)


def _fraction(page: Any, name: str) -> float:
    tag = page.tags.get(name)
    top, bottom = (1, 1) if tag is None else tag.value
    return top / bottom if bottom else 0.0
