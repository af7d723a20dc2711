"""Small DICOM CT files in every encoding that is read, and ways to damage them, for the fuzz test."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
import re
import struct
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    UID,
)

from tests.drr.enhanced import write_enhanced
from tests.drr.series import body, Edit, to_jpeg_lossless, write_series

Random = np.random.Generator
SIDE = 16
_ITEM, _END_ITEM, _END_SEQUENCE = (struct.pack("<HHL", 0xFFFE, tag, size) for tag, size in
                                   ((0xE000, 2**32 - 1), (0xE00D, 0), (0xE0DD, 0)))  # fmt: skip
_SEQUENCE = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 2**32 - 1)
_SYNTAX = struct.pack("<HH2sH", 0x0002, 0x0010, b"UI", 22) + DeflatedExplicitVRLittleEndian.encode().ljust(22, b"\0")
_DEFLATED_META = bytes(128) + b"DICM" + struct.pack("<HH2sHL", 0x0002, 0, b"UL", 4, len(_SYNTAX)) + _SYNTAX
_EMPTY_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
_LENGTHS = [0, 1, 2, 7, 0xFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]
_VRS = [b"ZZ", b"FD", b"FL", b"SQ", b"UN", b"OB", b"US", b"AT", b"UR", b"\x04\x00"]
_RUNS = [b"\x80", b"\x00\x05", b"\x81\x05", b"\xff\x05"]
_NUMBERS = [b"0", b"-1", b"nan", b"inf", b"1e400", b"1e-400", b"9" * 16, b"\\", b"1\\2\\3", b"--", b"\x00", b""]


def files(folder: Path) -> dict[str, bytes]:
    """One file of every kind; they are written into `folder` first."""
    hu = body(10, SIDE, SIDE)

    def first(name: str, image: NDArray[np.int16] = hu[1:2], **arguments: Any) -> bytes:
        return (write_series(folder / name, image, uid="1.2.3", **arguments) / "0000.dcm").read_bytes()

    return {
        "explicit": first("explicit"),
        "implicit": first("implicit", syntax=ImplicitVRLittleEndian),
        "big endian": first("big", syntax=ExplicitVRBigEndian),
        "deflated": first("deflated", syntax=DeflatedExplicitVRLittleEndian),
        "JPEG lossless": first("jpeg", edit=to_jpeg_lossless),
        "RLE": first("rle", edit=_compressed(RLELossless)),
        "JPEG 2000": first("j2k", body(3, 64, 64)[1:2], edit=_compressed(JPEG2000Lossless)),
        "multi-frame": write_enhanced(folder / "frames.dcm", hu).read_bytes(),
        "multi-frame JPEG": write_enhanced(folder / "jpegs.dcm", hu[:3], compressed=True).read_bytes(),
    }


def _compressed(syntax: UID) -> Edit:
    return lambda header, k: header.compress(syntax, generate_instance_uid=False)


def bit_flips(data: bytearray, rng: Random) -> None:
    """A few bits anywhere behind the preamble."""
    for at in rng.integers(128, len(data), rng.integers(1, 12)):
        data[at] ^= 1 << rng.integers(8)


def header_flips(data: bytearray, rng: Random) -> None:
    """Bytes of the header alone, where a pixel is not likely to be hit."""
    for at in rng.integers(132, min(len(data), 1200), rng.integers(1, 6)):
        data[at] = rng.integers(256)


def length_fields(data: bytearray, rng: Random) -> None:
    """The length of one or two elements becomes a lie."""
    places = list(_elements(data))
    for _ in range(rng.integers(1, 3)):
        at, size = places[rng.integers(len(places))]
        length = int(rng.choice(_LENGTHS)) & (2 ** (8 * size) - 1)
        data[at : at + size] = length.to_bytes(size, "little")


def numbers(data: bytearray, rng: Random) -> None:
    """The value of a text element becomes something that is no number, or an absurd one."""
    places = [(at, size) for at, size in _elements(data) if size == 2]
    at, _ = places[rng.integers(len(places))] if places else (132, 2)
    length = int.from_bytes(data[at : at + 2], "little")
    data[at + 2 : at + 2 + length] = _NUMBERS[rng.integers(len(_NUMBERS))].ljust(length)[:length]


def integers(data: bytearray, rng: Random) -> None:
    """Rows, Columns, bits and the like (group 0028, 16 bits) become extreme."""
    group = re.compile(rb"\x28\x00..(US|\x02\x00)", re.DOTALL)
    places = [found.start() for found in group.finditer(data, 132, len(data) - 2)]
    for at in rng.choice(places, 2) if places else ():
        data[at + 8 : at + 10] = struct.pack("<H", rng.choice([0, 1, 2, 8, 15, 17, 255, 4096, 4097, 32768, 65535]))


def truncation(data: bytearray, rng: Random) -> None:
    """The file ends early."""
    del data[rng.integers(0, len(data)) :]


def splice(data: bytearray, rng: Random) -> None:
    """A part of the file is lost, or doubled elsewhere."""
    first, last = sorted(int(at) for at in rng.integers(132, len(data), 2))
    part = bytes(data[first:last])
    if rng.random() < 0.5:
        del data[first:last]
    else:
        to = int(rng.integers(132, len(data)))
        data[to:to] = part


def nested_sequences(data: bytearray, rng: Random) -> None:
    """Sequences in sequences, closed or not, or sequences of very many items; one of twenty is large."""
    large = rng.random() < 0.05
    kind = rng.integers(3)
    if kind == 0:
        depth = 30_000 if large else int(rng.choice([3, 50, 400]))
        bomb = (_SEQUENCE + _ITEM) * depth + (_END_ITEM + _END_SEQUENCE) * int(rng.choice([0, depth // 2, depth]))
    elif kind == 1:
        bomb = _SEQUENCE + (_ITEM + _END_ITEM) * (200_000 if large else 100) + _END_SEQUENCE
    else:  # of stated length, so that pydicom looks inside only when it is asked
        count = 700_000 if large else 100
        empty = bytes(_EMPTY_ITEM * count) if rng.random() < 0.5 else _one_item(count)
        bomb = struct.pack("<HH2sHL", 0x5200, int(rng.choice([0x9229, 0x9230])), b"SQ", 0, len(empty)) + empty
    at = _first_element_of_group_8(data) if kind < 2 else max(data.find(b"\xe0\x7f\x10\x00"), 132)
    data[at:at] = bomb


def _one_item(count: int) -> bytes:
    """An item with `count` empty elements, no tag twice."""
    tags = np.arange(count, dtype="<u4")
    elements = np.zeros((count, 8), np.uint8)
    elements[:, 0:2] = (0x0009 + 2 * (tags // 65536)).astype("<u2")[:, None].view(np.uint8)
    elements[:, 2:4] = (tags % 65536).astype("<u2")[:, None].view(np.uint8)
    elements[:, 4:6] = np.frombuffer(b"LO", np.uint8)
    return struct.pack("<HHL", 0xFFFE, 0xE000, 8 * count) + elements.tobytes()


def many_elements(data: bytearray, rng: Random) -> None:
    """Empty private elements by the thousand, or one that claims to be endless."""
    at = _first_element_of_group_8(data)
    large = rng.random() < 0.05
    if rng.random() < 0.5:
        data[at:at] = _one_item(700_000 if large else 1000)[8:]
    else:
        endless = struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, 2**32 - 1)
        data[at:at] = endless + bytes(3 * 10**7 if large else 1000)


def deflated_bomb(data: bytearray, rng: Random) -> None:
    """All behind the meta information deflated: honest, cut off, or a gigabyte of zeros."""
    meta_end = 144 + int.from_bytes(data[140:144], "little")
    packed = _deflated(bytes(data[meta_end:])) if rng.random() < 0.5 else _deflated_zeros()
    data[:] = _DEFLATED_META + packed[: len(packed) // int(rng.choice([1, 2]))]


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@cache
def _deflated_zeros() -> bytes:
    return _deflated(bytes(10**9))


def value_representations(data: bytearray, rng: Random) -> None:
    """An element gets another VR: one of another length, one that does not exist, one that needs a sequence."""
    group = re.compile(rb"[\x08\x10\x18\x20\x28]\x00..(?:UI|CS|DS|IS|LO|US|SS|UL|TM)", re.DOTALL)
    places = [found.end() - 2 for found in group.finditer(data, 132, min(len(data), 4000))]
    for at in rng.choice(places, 2) if places else ():
        data[at : at + 2] = _VRS[rng.integers(len(_VRS))]


def markless(data: bytearray, rng: Random) -> None:
    """The mark, the preamble or all of the file meta information is lost."""
    meta_end = 144 + int.from_bytes(data[140:144], "little")
    first, last = [(0, 128), (0, 132), (128, 132), (0, min(meta_end, len(data) - 100))][rng.integers(4)]
    del data[first:last]


def other_syntax(data: bytearray, rng: Random) -> None:
    """The transfer syntax is another one, unknown, or missing."""
    at = data.find(b"\x02\x00\x10\x00UI")
    if at < 0:
        return
    end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    value = rng.choice([*AllTransferSyntaxes, "1.2.3", "", "1.2.840.10008.1.1", "x"]).encode()
    value += bytes(len(value) % 2)
    element = data[at : at + 6] + len(value).to_bytes(2, "little") + value if rng.random() < 0.8 else b""
    length = int.from_bytes(data[140:144], "little") + len(element) - (end - at)
    data[at:end] = element
    data[140:144] = (length & 0xFFFFFFFF).to_bytes(4, "little")


def rle_runs(data: bytearray, rng: Random) -> None:
    """Pixels become runs without end: no-ops, runs of one, runs of many; one of twenty is of 4096 x 4096 pixels."""
    large = rng.random() < 0.05
    if large:
        for number in (0x10, 0x11):
            at = data.find(struct.pack("<HH2sH", 0x0028, number, b"US", 2))
            if at > 0:
                data[at + 8 : at + 10] = struct.pack("<H", 4096)
    at = max(data.find(b"\xfe\xff\x00\xe0", data.find(b"\xe0\x7f\x10\x00")) + 8, 400)
    run = _RUNS[rng.integers(len(_RUNS))]
    runs = run * (4096**2 if large else 400)
    header = struct.pack("<16L", 2, 64, 64 + len(runs) // 2, *[0] * 13)
    sizes = struct.pack("<HHL", 0xFFFE, 0xE000, len(header) + len(runs))
    data[at:] = sizes + header + runs + _END_SEQUENCE


MUTATIONS: tuple[Callable[[bytearray, Random], None], ...] = (
    bit_flips, header_flips, length_fields, numbers, integers, truncation, splice, nested_sequences, many_elements,
    deflated_bomb, value_representations, markless, other_syntax, rle_runs,
)  # fmt: skip


def _elements(data: bytearray) -> Iterator[tuple[int, int]]:
    """Where the length fields of explicit little-endian elements seem to be, and their bytes."""
    for at in range(132, min(len(data) - 12, 4000)):
        vr = bytes(data[at + 4 : at + 6])
        if vr in (b"SQ", b"OB", b"OW", b"UN"):
            yield at + 8, 4
        elif vr in (b"UI", b"CS", b"DS", b"IS", b"LO", b"US", b"SS", b"UL"):
            yield at + 6, 2
    yield len(data) // 3, 4


def _first_element_of_group_8(data: bytearray) -> int:
    at = data.find(b"\x08\x00", 300)
    return at if at > 0 else 132
