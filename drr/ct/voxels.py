"""The voxels that the header of a volume file promises: read to the last byte, checksum included, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
import io
import math
from pathlib import Path
import stat
from typing import Any, BinaryIO, cast, Literal
import zlib

import numpy as np
from numpy.typing import NDArray

from drr.ct.limits import MAX_VOXELS
from drr.errors import InputError

Packing = Literal["raw", "deflate"]
TEXT_HEADER_BYTES = 65536
_BLOCK_BYTES = 2**22
# zlib packs CTs 1:2, those stored as float64 1:8; small volumes may be as smooth as they like.
_MAX_RATIO = 12
_RATIO_COUNTS_ABOVE_BYTES = 2**29
_MAX_SURPLUS_BYTES = 2**24  # unpacked before the first voxel, or behind the last for the checksum's sake
_PACKED_BYTES = 2**16
_GZIP, _ZLIB_OR_GZIP = 31, 47  # zlib.h: 15 is the largest window, 16 means gzip, 32 detects the header
_MAX_MEMBERS = 2**16  # bgzip's hold 64 kB each


@dataclass(frozen=True, eq=False)
class Stored:
    """Voxels as their header describes them.

    file, start: where the voxels, or the packed stream of them, begin. skip: unpacked bytes before the first voxel.
    packed_bytes: the length that a header states for the packed stream, or None.
    shape: voxels along x, y, z, of which x is the fastest. affine_mm: (4, 4), voxel index (x, y, z) to LPS mm.
    slope, intercept: the value is slope * stored + intercept. remarks: what the user is to be told.
    """

    file: Path
    start: int
    packing: Packing
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    affine_mm: NDArray[np.float64]
    skip: int = 0
    packed_bytes: int | None = None
    slope: float = 1.0
    intercept: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def voxels(self) -> int:
        """Their number."""
        return math.prod(self.shape)

    @property
    def is_scaled(self) -> bool:
        """True when stored values are not the values meant."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; InputError for a pipe or a device, whose reading may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError("a folder, pipe or device, not a file")
    return path.open("rb")


def beside(header: Path, name: str) -> Path:
    """The file that a header names, which must lie in the header's own folder, links followed; or InputError."""
    folder = header.resolve().parent
    try:
        data = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"its voxels are in {name!r}, which is no file") from None
    if data.parent != folder or Path(name).name != name:
        raise InputError(f"its voxels are in {name!r}: only one file beside it is read")
    if not data.exists():
        raise InputError(f"its voxels are in {name!r}, which is missing: keep both files together")
    return data


def three_axes(sizes: tuple[int, ...]) -> tuple[int, int, int]:
    """The three sizes of a volume; InputError where there are more or fewer axes longer than one voxel."""
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    if len(sizes) != 3 or min(sizes) < 2:
        text = " x ".join(map(str, sizes[:8]))
        raise InputError(f"a CT volume is one 3-D scalar image, this one has {text} voxels")
    return sizes[0], sizes[1], sizes[2]


def require_scalar(what: str, values: int) -> None:
    """InputError for colour, vectors and complex numbers."""
    if values != 1:
        raise InputError(f"holds {values} numbers a voxel ({what}): one is expected, of a scalar image")


def blocks(stored: Stored) -> Iterator[NDArray[Any]]:
    """The stored values in their order, in 1-D blocks; packed streams are read to their very end.

    `require_bounded` comes first. Raises InputError for voxels cut short, EOFError and zlib.error for a damaged stream.
    """
    left = stored.voxels * stored.dtype.itemsize
    with open_regular(stored.file) as file:
        file.seek(stored.start)
        stream = _unpacked(file, stored)
        _skip(stream, stored.skip)
        while left:
            block = stream.read(min(left, _BLOCK_BYTES))
            left -= len(block)
            if len(block) % stored.dtype.itemsize or not block:
                raise _cut_short(left, stored)
            yield np.frombuffer(block, stored.dtype)
        if stored.packing != "raw":
            _require_end(stream)


def require_bounded(stored: Stored) -> None:
    """InputError, before any memory is taken, for voxels that are too many, or more than the file can hold."""
    size = stored.file.stat().st_size - stored.start
    if stored.voxels > MAX_VOXELS:
        raise InputError(f"{' x '.join(map(str, stored.shape))} voxels are too many for a CT")
    if stored.skip > _MAX_SURPLUS_BYTES:
        raise InputError(f"the header is damaged ({stored.skip} bytes before the first voxel): fetch it again")
    promised = stored.voxels * stored.dtype.itemsize
    if stored.packing == "raw" and size < stored.skip + promised:
        raise _cut_short(stored.skip + promised - max(size, 0), stored)
    needed = stored.voxels * max(stored.dtype.itemsize, np.dtype(np.int16).itemsize)
    if needed > max(_RATIO_COUNTS_ABOVE_BYTES, _MAX_RATIO * size):
        raise InputError(f"{size} bytes unpack to {promised} bytes of voxels, too smooth for a CT: not read")


def _cut_short(missing: int, stored: Stored) -> InputError:
    promised = stored.voxels * stored.dtype.itemsize
    return InputError(f"the file is cut short, {missing} of {promised} bytes of voxels are missing: fetch it again")


def _unpacked(file: BinaryIO, stored: Stored) -> BinaryIO:
    if stored.packing == "raw":
        return file
    return cast(BinaryIO, io.BufferedReader(Inflated(file, stored.packed_bytes), _BLOCK_BYTES))


def _skip(stream: BinaryIO, count: int) -> None:
    while count:
        read = len(stream.read(min(count, _BLOCK_BYTES)))
        if not read:
            raise EOFError("it ends before its first voxel")
        count -= read


def _require_end(stream: BinaryIO) -> None:
    """Read on to where the length and the checksum are compared, which is behind the last voxel."""
    surplus = 0
    while block := stream.read(_BLOCK_BYTES):
        surplus += len(block)
        if surplus > _MAX_SURPLUS_BYTES:
            raise InputError("holds more voxels than its header promises: the header is damaged, fetch it again")


class Inflated(io.RawIOBase):
    """What a zlib or gzip stream inside a file unpacks to, its length and checksum compared at its end.

    packed_bytes: where the stream must end, or None. A gzip stream without it may have several members, as those of
    parallel packers do, and zeros behind.
    """

    def __init__(self, file: BinaryIO, packed_bytes: int | None = None) -> None:
        self._file, self._left, self._members, self._ahead = file, packed_bytes, 1, b""
        self._inflate = zlib.decompressobj(_ZLIB_OR_GZIP)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one step goes; 0 at the end."""
        while not self._inflate.eof or self._begins_another():
            packed = self._inflate.unconsumed_tail or self._more()
            piece = self._inflate.decompress(packed, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            if not packed and not self._inflate.eof:
                raise EOFError("the stream ends early")
        return 0

    def _more(self) -> bytes:
        ahead, self._ahead = self._ahead, b""
        if ahead:
            return ahead
        packed = self._file.read(_PACKED_BYTES if self._left is None else min(_PACKED_BYTES, self._left))
        if self._left is not None:
            self._left -= len(packed)
        return packed

    def _begins_another(self) -> bool:
        """Is there another gzip member behind the one that has ended?"""
        rest = self._inflate.unused_data
        if self._left is not None:
            if self._left or rest:
                raise EOFError(f"the stream ends {self._left + len(rest)} bytes before its stated end")
            return False
        while not (rest := rest.lstrip(b"\0")):
            rest = self._file.read(_PACKED_BYTES)
            if not rest:
                return False
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise EOFError(f"more than {_MAX_MEMBERS} gzip members")
        self._ahead, self._inflate = rest, zlib.decompressobj(_GZIP)
        return True
