"""Compressed pixels looked at before a decoder sees them: their own size must be the one that the header states.

A decoder allocates what its stream asks for; a few bytes can ask for gigabytes.
"""

from itertools import pairwise
import struct

from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLETransferSyntaxes, UID

from drr.errors import InputError

_CODED_BYTES = 65536  # of tables and markers, beyond the size of the uncompressed image
# Of a run by its first byte, PS3.5 G.3.1: literal bytes, nothing, one byte repeated.
_RUN_PIXELS = [*range(1, 129), 0, *range(128, 1, -1)]
_RUN_BYTES = [*range(2, 130), 1, *[2] * 127]
_MAX_RUNS, _PADDING = 2**20, 64  # a CT of 4096 x 4096 pixels needs a quarter of that
_SIZ = 0xFF51
# ITU-T T.81 table B.1 and T.87: frame headers; 0xFFC4, 0xFFC8 and 0xFFCC are tables.
_FRAME_MARKERS = {0xFFF7, *range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}
_SCAN, _END = 0xFFDA, 0xFFD9


def require_size(data: bytes, syntax: UID, rows: int, columns: int, pixel_bytes: int = 2) -> None:
    """Raise InputError when a compressed image would not decode to rows x columns single values of pixel_bytes."""
    if len(data) > 2 * (rows * columns * 2) + _CODED_BYTES:
        raise InputError(f"{len(data)} bytes are too many for {rows} x {columns} compressed pixels")
    if syntax in RLETransferSyntaxes:
        _require_rle(data, rows * columns, pixel_bytes)
        return
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        found = _jpeg_size(data)
    elif syntax in JPEG2000TransferSyntaxes:
        found = _jpeg_2000_size(data)
    else:
        raise InputError(f"transfer syntax {syntax.name} is not read: save it uncompressed")
    if found != (rows, columns, 1):
        raise InputError(f"the compressed image is {found} (rows, columns, channels), not {(rows, columns, 1)}")


def _jpeg_size(data: bytes) -> tuple[int, int, int]:
    """Rows, columns and components of the one frame header; its segments are walked as a decoder does."""
    at, found = 2, []
    while at + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker in _FRAME_MARKERS and at + 10 <= len(data):
            found.append(struct.unpack_from(">HHB", data, at + 5))
        if marker < 0xFF01 or marker in (_SCAN, _END):
            break
        at += 2 + length
    if data[:2] != b"\xff\xd8" or len(found) != 1:
        raise InputError("the compressed image has no single JPEG frame header")
    rows, columns, components = found[0]
    return rows, columns, components


def _jpeg_2000_size(data: bytes) -> tuple[int, int, int]:
    """Rows, columns and components by the SIZ segment, ITU-T T.800 A.5.1, which follows the start of the codestream."""
    if len(data) < 52 or struct.unpack_from(">HH", data) != (0xFF4F, _SIZ):
        raise InputError("the compressed image is no JPEG 2000 codestream")
    right, bottom, left, top, tile_w, tile_h = struct.unpack_from(">6L", data, 8)
    (components,) = struct.unpack_from(">H", data, 40)
    tiles = max(right, 1) * max(bottom, 1) // max(tile_w * tile_h, 1)
    if tiles > right * bottom // 64:
        raise InputError("the compressed image is cut into more tiles than makes sense")
    return bottom - top, right - left, components


def _require_rle(data: bytes, pixels: int, pixel_bytes: int) -> None:
    """A segment for each byte of a pixel, DICOM PS3.5 annex G; runs are counted, not unpacked."""
    count, *offsets = struct.unpack("<16L", data[:64].ljust(64, b"\0"))
    begins = [*offsets[:pixel_bytes], len(data)]
    if count != pixel_bytes or begins[0] < 64 or begins != sorted(begins):
        raise InputError(f"the RLE image does not have {pixel_bytes} segments, one for each byte of a pixel")
    for first, end in pairwise(begins):
        if _unpacked(data[first:end], pixels) > pixels + 1:
            raise InputError(f"the RLE image unpacks to more than {pixels} pixels")


def _unpacked(segment: bytes, limit: int) -> int:
    """Bytes that a segment unpacks to.

    Raises InputError for more runs than an encoder would write: each costs the decoder as much as a pixel, and no-ops
    (128) cost a bomb nothing.
    """
    at = total = 0
    for _ in range(min(limit, _MAX_RUNS) + _PADDING):
        if at >= len(segment):
            return total
        run = segment[at]
        total += _RUN_PIXELS[run]
        at += _RUN_BYTES[run]
    raise InputError("the RLE image has more runs than any encoder writes")
