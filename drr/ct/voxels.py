"""The voxels that the header of a volume file promises: read to the last byte, checksum included, in bounded memory."""

import bz2
from collections.abc import Iterator
from dataclasses import dataclass
import gzip
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

Packing = Literal["raw", "gzip", "zlib", "bzip2"]
TEXT_HEADER_BYTES = 65536
_BLOCK_BYTES = 2**22
# zlib packs CTs 1:2, masked ones of floats 1:12; small volumes may be as smooth as they like.
_MAX_RATIO = 16
_RATIO_COUNTS_ABOVE_BYTES = 2**29
_MAX_SURPLUS_BYTES = 2**24  # what may follow the voxels in a packed stream is read for its checksum alone
_ZLIB_OR_GZIP = 47  # zlib.h: 32 detects the header, 15 is the largest window


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
        raise InputError(
            f"holds {values} numbers a voxel ({what}): a CT volume is one 3-D scalar image, one HU a voxel"
        )


def blocks(stored: Stored) -> Iterator[NDArray[Any]]:
    """The stored values in their order, in 1-D blocks; packed streams are read to their very end.

    Raises InputError for voxels cut short or damaged; `require_bounded` comes first.
    """
    left = stored.voxels * stored.dtype.itemsize
    try:
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
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"its packed voxels are damaged ({error}): fetch it again") from None
    except OSError as error:
        raise InputError(f"its voxels cannot be read ({error.strerror or error}): fetch it again") from None


def require_bounded(stored: Stored) -> None:
    """InputError, before any memory is taken, for voxels that are too many, or more than the file can hold."""
    size = stored.file.stat().st_size - stored.start
    if stored.voxels > MAX_VOXELS:
        raise InputError(f"{' x '.join(map(str, stored.shape))} voxels are too many for a CT")
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
    if stored.packing == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if stored.packing == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(file))
    if stored.packing == "zlib":
        return cast(BinaryIO, io.BufferedReader(_ZlibStream(file, stored.packed_bytes), _BLOCK_BYTES))
    return file


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


class _ZlibStream(io.RawIOBase):
    """An unpacked zlib or gzip stream inside a file; its end must be where the header says."""

    def __init__(self, file: BinaryIO, packed_bytes: int | None) -> None:
        self._file, self._left = file, packed_bytes
        self._inflate = zlib.decompressobj(_ZLIB_OR_GZIP)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._more()
            piece = self._inflate.decompress(packed, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            if not packed and not self._inflate.eof:
                raise EOFError("the stream ends early")
        if self._left is not None and (self._left or self._inflate.unused_data):
            raise EOFError(f"the stream ends {self._left + len(self._inflate.unused_data)} bytes before its stated end")
        return 0

    def _more(self) -> bytes:
        packed = self._file.read(2**16 if self._left is None else min(2**16, self._left))
        if self._left is not None:
            self._left -= len(packed)
        return packed
