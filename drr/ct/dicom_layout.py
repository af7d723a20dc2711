"""Where a CT file keeps its pixels: checked against the file's length before anything is allocated."""

from collections.abc import Iterator
import struct
from typing import IO

from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import AllTransferSyntaxes, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, UID

from drr.ct.dicom_image import StoredFrame
from drr.ct.dicom_parse import has_value, PIXEL_ELEMENT_BYTES, whole
from drr.ct.limits import MAX_VOXELS
from drr.ct.sources import MAX_FILES, Member
from drr.errors import InputError

MAX_SIDE = 4096
_PIXEL_VRS = {b"OB", b"OW", b"OF", b"OD", b"UN"}
PIXEL_DATA, _ITEM, _SEQUENCE_END = (0x7FE0, 0x0010), (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
# PS3.3 C.7.6.3: of type 1 in every image.
_DESCRIPTION = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"),
    "PixelRepresentation",
)
UNDEFINED = 2**32 - 1
_MAX_PIECES = 100_000
# pydicom would also ask GDCM where that is installed.
_PLUGINS = ("pydicom", "pylibjpeg")


def stored_frames(header: FileDataset, member: Member, at: int, element: bytes) -> list[StoredFrame]:
    """The frames of a file whose pixel data element begins at byte `at` with the bytes `element`.

    Raises InputError for a pixel format that is not read, and for a file shorter than its own header promises.
    """
    if not at:
        raise InputError("the file is cut short before its pixels: fetch it again")
    for keyword in _DESCRIPTION:
        if not has_value(header, keyword):
            raise InputError(f"{keyword} is missing: the pixels cannot be read without it")
    frames, frame_bytes = _frames_and_bytes(header)
    signed = bool(whole(header, "PixelRepresentation"))
    little = is_little_endian(header)
    tag, length, header_bytes, _ = pixel_element(element, little)
    if tag != PIXEL_DATA:
        raise InputError("pixels are not integers (PixelData is missing)")
    syntax = transfer_syntax(header, element)
    at += header_bytes
    promised = frames * frame_bytes
    if syntax.is_encapsulated:
        if length != UNDEFINED:
            raise InputError(f"uncompressed pixels under the transfer syntax {syntax.name}: the header is wrong")
        plugin_of(syntax)
        with member.open() as stream:
            pieces = list(_pieces_of_frames(stream, at, member.size, frames))
        return [StoredFrame(syntax, False, signed, piece) for piece in pieces]
    if length == UNDEFINED:
        raise InputError(f"compressed pixels under the transfer syntax {syntax.name}: the header is wrong")
    there = max(member.size - at, 0)
    if there < promised:
        raise InputError(f"the file is cut short, {there} of {promised} bytes of pixels: fetch it again")
    if length < promised:
        raise InputError(f"PixelData has {length} bytes, Rows and Columns ask for {promised}: the header is wrong")
    return [StoredFrame(syntax, not little, signed, ((at + k * frame_bytes, frame_bytes),)) for k in range(frames)]


def is_little_endian(header: FileDataset) -> bool:
    """The byte order that the file was parsed in."""
    return header.original_encoding[1] is not False


def pixel_element(element: bytes, little: bool) -> tuple[tuple[int, int], int, int, bool]:
    """Tag, stated length and bytes before the value of an element, and whether it is in implicit VR.

    element: its first PIXEL_ELEMENT_BYTES. Its own bytes tell: some files are in implicit VR under an explicit transfer
    syntax, or the other way round. A length is even and the VRs of pixels begin with odd letters.
    """
    order = "<" if little else ">"
    tag = struct.unpack(order + "HH", element[:4])
    implicit = element[4:6] not in _PIXEL_VRS
    (length,) = struct.unpack(order + "L", element[4:8] if implicit else element[8:PIXEL_ELEMENT_BYTES])
    return (tag[0], tag[1]), length, 8 if implicit else PIXEL_ELEMENT_BYTES, implicit


def transfer_syntax(header: FileDataset, element: bytes) -> UID:
    """The one that the file states, or the one that its uncompressed pixel data element is written in.

    Raises InputError for an unknown one, and for compressed pixels without any.
    """
    stated = UID(str(header.file_meta.get("TransferSyntaxUID") or "").strip())
    if stated:
        if stated not in AllTransferSyntaxes:
            raise InputError(f"TransferSyntaxUID {stated[:80]} is not known: save the image uncompressed")
        return stated
    little = is_little_endian(header)
    _, length, _, implicit = pixel_element(element, little)
    if length == UNDEFINED:
        raise InputError("pixels are compressed and no TransferSyntaxUID says how: save the image uncompressed")
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


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
    if not 1 <= frames <= min(MAX_FILES, MAX_VOXELS // (rows * columns)):
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
