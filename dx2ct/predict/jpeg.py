"""The pixels of a JPEG, by Pillow, and whether its coded data are whole.

Decoders fill what is missing with grey and say so on stderr alone: neither Pillow nor OpenCV has an option or an error
for it. So the file is decoded again, changed where it must not, and where it must, make a difference.
"""

from io import BytesIO
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drr.errors import InputError

_MARK = re.compile(rb"\xff+[^\x00\xff]", re.DOTALL)  # in coded data 0 follows every byte 255
_END, _SCAN, _RESTARTS = b"\xff\xd9", 0xDA, range(0xD0, 0xD8)
_ALONE = {0x01, 0xD8, *_RESTARTS}  # marks without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HUFFMAN = {0xC0, 0xC1, 0xC2}  # arithmetic coding may leave zeros at its end out
_BEHIND = 64  # bytes that a decoder which lacks data would take for them
_LAST = 8  # bytes of coded data, which no image can do without
_TRIES = 8  # a change may happen to be lost in a rounding, or in what is black already
_CUT = "the file is cut short (its end mark is missing): fetch it again"
_DAMAGED = "not a readable image: its coded pixels are damaged or cut short: fetch it again"


class _Scan(NamedTuple):
    """Coded data: where the marks behind each of its parts stand, restarts and then whatever ends it."""

    ends: tuple[int, ...]
    is_in_order: bool


class _Coded(NamedTuple):
    """scans: in the file's order. end: of the image, its end mark. frames: what codes them."""

    scans: tuple[_Scan, ...]
    end: int
    frames: frozenset[int]


def read_jpeg(data: bytes) -> NDArray[np.uint8]:
    """The pixels, (row, column) or (row, column, channel); what follows the end mark is no part of the image.

    Raises InputError for a file without an end mark, and for coded data that are too short or too long for the image.
    """
    coded = _coded(data)
    found = _pixels(data[: coded.end] + _END)
    if found is None or not all(scan.is_in_order for scan in coded.scans):
        raise InputError(_DAMAGED)
    if coded.frames <= _HUFFMAN and (_is_short(found, data, coded) or _is_long(found, data, coded)):
        raise InputError(_DAMAGED)
    return found


def _coded(data: bytes) -> _Coded:
    """The parts of a file, by its marks and their lengths (ITU T.81, B.1.1)."""
    scans, frames, at = list[_Scan](), set[int](), 2
    while (mark := _MARK.search(data, at)) is not None:
        kind = mark[0][-1]
        if kind == _END[1]:
            return _Coded(tuple(scans), mark.start(), frozenset(frames))
        at = mark.end()
        if kind in _ALONE:
            continue
        at += int.from_bytes(data[at : at + 2])
        if kind in _FRAMES:
            frames.add(kind)
        if kind == _SCAN:
            scans.append(_scan(data, at))
            at = scans[-1].ends[-1]
    raise InputError(_CUT)


def _scan(data: bytes, at: int) -> _Scan:
    """The coded data that begin at byte `at`."""
    ends, is_in_order = list[int](), True
    while (mark := _MARK.search(data, at)) is not None:
        ends.append(mark.start())
        if mark[0][-1] not in _RESTARTS:
            return _Scan(tuple(ends), is_in_order)
        is_in_order &= mark[0][-1] == _restart(len(ends) - 1)[1]
        at = mark.end()
    raise InputError(_CUT)


def _is_short(found: NDArray[np.uint8], data: bytes, coded: _Coded) -> bool:
    """True where the pixels depend on what stands behind the coded data, or on one more part of them."""
    more, pieces, at = _noise(_BEHIND, 0), list[bytes](), 0
    for scan in coded.scans:
        for end in scan.ends:
            pieces += [data[at:end], more]
            at = end
        pieces += [_restart(len(scan.ends) - 1), more]
    return not _is_same(found, _pixels(b"".join([*pieces, data[at : coded.end], _END])))


def _is_long(found: NDArray[np.uint8], data: bytes, coded: _Coded) -> bool:
    """True where the pixels do not depend on the last of the coded data; of one scan without restarts."""
    if len(coded.scans) != 1 or len(coded.scans[0].ends) != 1:
        return False
    end = coded.scans[0].ends[0]
    at = end - _LAST - (data[end - _LAST - 1] == 0xFF)  # not between a 255 and its 0
    return all(_is_same(found, _pixels(data[:at] + _noise(end - at, seed) + _END)) for seed in range(_TRIES))


def _restart(number: int) -> bytes:
    """The mark of a scan's restart, from 0."""
    return bytes((0xFF, _RESTARTS[number % len(_RESTARTS)]))


def _is_same(found: NDArray[np.uint8], other: NDArray[np.uint8] | None) -> bool:
    return other is not None and np.array_equal(found, other)


def _noise(count: int, seed: int) -> bytes:
    """Bytes below 255, so that no mark is among them."""
    return np.random.default_rng(seed).integers(0, 255, count, np.uint8).tobytes()


def _pixels(data: bytes) -> NDArray[Any] | None:
    """None for what Pillow cannot decode."""
    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError):
        return None
