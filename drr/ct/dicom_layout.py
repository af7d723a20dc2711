"""Where a CT file keeps its pixels: checked against the file's length before anything is allocated."""

from collections.abc import Iterator
import struct
from typing import IO

from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from drr.ct.dicom_image import StoredFrame
from drr.ct.dicom_parse import PIXEL_ELEMENT_BYTES, whole
from drr.ct.limits import MAX_VOXELS
from drr.ct.sources import Member
from drr.errors import InputError

MAX_SIDE = 4096
_PIXEL_DATA, _ITEM, _SEQUENCE_END = (0x7FE0, 0x0010), (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 2**32 - 1
_MAX_PIECES = 100_000
# pydicom would also ask GDCM where that is installed.
_PLUGINS = ("pydicom", "pylibjpeg")


def stored_frames(header: FileDataset, member: Member, at: int, element: bytes) -> list[StoredFrame]:
    """The frames of a file whose pixel data element begins at byte `at` with the bytes `element`.

    Raises InputError for a pixel format that is not read, and for a file shorter than its own header promises.
    """
    frames, frame_bytes = _frames_and_bytes(header)
    syntax, signed = header.file_meta.TransferSyntaxUID, bool(header.PixelRepresentation)
    implicit, little = header.original_encoding
    if not at:
        raise InputError("the file is cut short before its pixels: fetch it again")
    order = "<" if little else ">"
    group, number, length = struct.unpack(order + "HHL", element[:8])
    at += 8
    if not implicit:
        (length,) = struct.unpack(order + "L", element[8:PIXEL_ELEMENT_BYTES])
        at += 4
    if (group, number) != _PIXEL_DATA:
        raise InputError("pixels are not integers (PixelData is missing)")
    if syntax.is_encapsulated:
        plugin_of(syntax)
        with member.open() as stream:
            pieces = list(_pieces_of_frames(stream, at, member.size, frames))
        return [StoredFrame(syntax, False, signed, piece) for piece in pieces]
    if length == _UNDEFINED:
        raise InputError(f"compressed pixels under the transfer syntax {syntax.name}: the header is wrong")
    there, promised = max(min(member.size - at, length), 0), frames * frame_bytes
    if there < promised:
        raise InputError(f"the file is cut short, {there} of {promised} bytes of pixels: fetch it again")
    return [StoredFrame(syntax, not little, signed, ((at + k * frame_bytes, frame_bytes),)) for k in range(frames)]


def plugin_of(syntax: UID) -> str:
    """The decoder plug-in for a compressed transfer syntax; InputError when there is none that is trusted."""
    try:
        available = get_decoder(syntax).available_plugins
    except NotImplementedError:
        available = ()
    for name in _PLUGINS:
        if name in available:
            return name
    raise InputError(f"transfer syntax {syntax.name} cannot be decoded: save it uncompressed")


def _frames_and_bytes(header: FileDataset) -> tuple[int, int]:
    """Number of frames, and bytes of each when uncompressed."""
    frames, rows, columns = whole(header, "NumberOfFrames", 1), whole(header, "Rows"), whole(header, "Columns")
    allocated, stored = whole(header, "BitsAllocated"), whole(header, "BitsStored")
    if not 1 < min(rows, columns) <= max(rows, columns) <= MAX_SIDE:
        raise InputError(f"{rows} x {columns} pixels are no CT slice")
    if not 1 <= frames <= MAX_VOXELS // (rows * columns):
        raise InputError(f"{frames} frames of {rows} x {columns} pixels are no CT")
    high = whole(header, "HighBit")
    if (whole(header, "SamplesPerPixel"), allocated) != (1, 16) or high != stored - 1 or not 1 < stored <= 16:
        raise InputError(f"pixels are not single values of 16 bits ({allocated} allocated, {stored} stored)")
    return frames, rows * columns * 2


def _pieces_of_frames(stream: IO[bytes], at: int, size: int, frames: int) -> Iterator[tuple[tuple[int, int], ...]]:
    pieces = list(_pieces(stream, at, size))[1:]  # the first is the table of offsets, often empty
    if frames == 1 and pieces:
        yield tuple(pieces)
    elif len(pieces) == frames:
        yield from ((piece,) for piece in pieces)
    else:
        raise InputError(f"{frames} compressed frames in {len(pieces)} pieces: save it uncompressed")


def _pieces(stream: IO[bytes], at: int, size: int) -> Iterator[tuple[int, int]]:
    """Offset and bytes of every item of encapsulated pixel data."""
    for _ in range(_MAX_PIECES):
        stream.seek(at)
        item = stream.read(8)
        if len(item) < 8:
            break
        group, element, length = struct.unpack("<HHL", item)
        if (group, element) == _SEQUENCE_END:
            return
        if (group, element) != _ITEM or at + 8 + length > size:
            break
        yield at + 8, length
        at += 8 + length
    raise InputError("the file is cut short inside its compressed pixels: fetch it again")
