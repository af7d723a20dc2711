"""Stored values of a DICOM film. Where they begin and how long they are, the pixel element's own bytes tell.

Headers lie about it: implicit VR under an explicit transfer syntax, no transfer syntax, a HighBit that no pixel uses.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import RLELossless, UID

from drr.ct.dicom_codestream import require_size as require_coded_size
from drr.ct.dicom_layout import PIXEL_DATA, pixel_element, plugin_of, transfer_syntax, UNDEFINED
from drr.ct.dicom_parse import whole
from drr.ct.dicom_pixels import connected_with_border
from drr.errors import InputError
from dx2ct.predict.film_folds import with_more_bits, without_sign

TAGS = (
    *("SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
)
_LITTLE = b"\xe0\x7f\x10\x00"  # (7FE0,0010)


class Stored(NamedTuple):
    """values: (row, column), the bits in use with their sign. padding: where the header says that there is no image."""

    values: NDArray[Any]
    padding: NDArray[np.bool_]
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def stored_values(path: Path, header: FileDataset, at: int, element: bytes) -> Stored:
    """Read the pixels whose element begins at byte `at` with the bytes `element`; InputError for what is not whole."""
    allocated, stored = whole(header, "BitsAllocated"), whole(header, "BitsStored")
    if allocated not in (8, 16) or not 1 < stored <= allocated:
        raise InputError(f"{allocated} bits allocated and {stored} stored: 8 and 16 are read")
    high = header.get("HighBit")
    high = stored - 1 if high is None or high == "" else int(high)
    if not stored - 1 <= high < allocated:
        raise InputError(f"HighBit {high} cannot be of {stored} bits stored in {allocated}: save it anew")
    little = element[:4] == _LITTLE
    tag, length, start, _ = pixel_element(element, little)
    if tag != PIXEL_DATA:
        raise InputError("pixels are not integers (PixelData is missing)")
    syntax = transfer_syntax(header, element)
    data = path.read_bytes()[at + start :]
    notes: tuple[str, ...] = ()
    if length == UNDEFINED:
        raw = _decoded(data, header, syntax)
        if high != stored - 1 and syntax != RLELossless:
            raise InputError(f"HighBit {high} of {stored} bits in compressed pixels: save it uncompressed")
    else:
        if syntax.is_encapsulated:
            raise InputError(f"uncompressed pixels under the transfer syntax {syntax.name}: the header is wrong")
        raw = _plain(data[:length], header, allocated, little)
        if not header.file_meta.get("TransferSyntaxUID"):
            notes = ("TransferSyntaxUID is missing: read as uncompressed",)
    high, more = _used_high_bit(raw, high, stored)
    raw, values, said = _unfolded(raw, high, stored, header)
    padding, left = _at_border(_padding(raw, values, header), header.get("PixelPaddingValue"))
    steps = (*said, *more, f"padding {header.PixelPaddingValue} made air") if padding.any() else (*said, *more)
    return Stored(np.asarray(values), padding, steps, (*notes, *more, *said, *left))


def _unfolded(
    raw: NDArray[Any], high: int, stored: int, header: FileDataset
) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """The stored values and the bits in use of them, by what the header says or, where that folds them, by more."""
    values = _in_use(raw, high, stored)
    padding = _padding(raw, values, header)
    unsigned = raw.view(f"u{raw.dtype.itemsize}")
    if raw.dtype.kind == "i" and (said := without_sign(values, _in_use(unsigned, high, stored), stored, padding)):
        return unsigned, _in_use(unsigned, high, stored), said
    if high != stored - 1 or np.array_equal(raw, values):
        return raw, values, ()
    if said := with_more_bits(values, raw, stored, padding):
        return raw, raw, said
    return raw, values, ()


def _in_use(raw: NDArray[Any], high: int, stored: int) -> NDArray[Any]:
    """The bits from HighBit down, the sign of signed ones extended."""
    allocated = 8 * raw.dtype.itemsize
    return np.asarray((raw << (allocated - 1 - high)) >> (allocated - stored))


def _plain(data: bytes, header: FileDataset, bits: int, little: bool) -> NDArray[Any]:
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    promised = rows * columns * bits // 8
    if len(data) < promised:
        raise InputError(f"the file is cut short, {len(data)} of {promised} bytes of pixels: fetch it again")
    code = f"{'<' if little else '>'}{'i' if whole(header, 'PixelRepresentation') else 'u'}{bits // 8}"
    return np.frombuffer(data[:promised], code).reshape(rows, columns).astype(code[1:])


def _decoded(data: bytes, header: FileDataset, syntax: UID) -> NDArray[Any]:
    if not syntax.is_encapsulated:
        raise InputError(f"compressed pixels under the transfer syntax {syntax.name}: the header is wrong")
    shape = (whole(header, "Rows"), whole(header, "Columns"))
    frame = get_frame(data, 0, number_of_frames=1)
    require_coded_size(frame, syntax, *shape, header.BitsAllocated // 8)
    options: dict[str, Any] = {
        "rows": shape[0],
        "columns": shape[1],
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": header.BitsAllocated,
        "bits_stored": header.BitsStored,
        "pixel_representation": whole(header, "PixelRepresentation"),
        "pixel_keyword": "PixelData",
        "correct_unused_bits": False,
    }
    pixels, _ = get_decoder(syntax).as_array(
        encapsulate([frame], has_bot=False), index=0, raw=True, decoding_plugin=plugin_of(syntax), **options
    )
    if pixels.shape != shape:
        raise InputError(f"pixels are {pixels.shape}, the header promises {shape}")
    return np.asarray(pixels)


def _used_high_bit(raw: NDArray[Any], high: int, stored: int) -> tuple[int, tuple[str, ...]]:
    """The highest bit that pixels use: the header's, or the usual one where the header's cannot be."""
    below = high + 1 - stored
    if below == 0:
        return high, ()
    used = int(np.bitwise_or.reduce(raw, axis=None)) & 0xFFFF
    if used & ((1 << below) - 1) and used < 1 << stored:
        return stored - 1, (f"HighBit {high} is wrong, the pixels are in the lowest {stored} bits",)
    return high, (f"HighBit {high}: the upper {stored} bits taken",)


def _at_border(found: NDArray[np.bool_], value: int) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """What of the padding is connected with the border, and a note of the rest: the patient's grey may be as high."""
    if not found.any():
        return found, ()
    outside = connected_with_border(found)
    inside = np.count_nonzero(found) - np.count_nonzero(outside)
    where = f"PixelPaddingValue {value} is inside the image, too (pixels: {inside})"
    return outside, (f"{where}: there it stays as grey, look at --preview",) if inside else ()


def _padding(raw: NDArray[Any], values: NDArray[Any], header: FileDataset) -> NDArray[np.bool_]:
    """Where the padding value is; writers confuse US and SS, so that both ends are brought to the pixels' own sign."""
    first = header.get("PixelPaddingValue")
    if first is None or first == "":
        return np.zeros(raw.shape, bool)
    last = header.get("PixelPaddingRangeLimit")
    mask, unsigned = (1 << 8 * raw.dtype.itemsize) - 1, f"u{raw.dtype.itemsize}"
    both = np.array([int(first) & mask, int(first if last in (None, "") else last) & mask], unsigned).view(raw.dtype)
    low, high = int(both.min()), int(both.max())
    within = (values >= low) & (values <= high)
    return np.asarray(within | ((raw >= low) & (raw <= high)) if low == high else within)
