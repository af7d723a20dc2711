"""What a good file and a good series are. Nothing is kept that has not passed here.

pydicom only, as in drr.ct: a header comes from a stranger.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
import hashlib
from io import BytesIO
import struct
from typing import BinaryIO
import warnings

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.series import is_uid, Series

_PIXEL_DATA, _ITEM, _SEQUENCE_END, _UNDEFINED = (0x7FE0, 0x0010), (0xFFFE, 0xE000), (0xFFFE, 0xE0DD), 0xFFFFFFFF


@dataclass(frozen=True)
class Part:
    """One verified file of a series.

    origin: its name at the source; md5_stated: whether the source said what its MD5 is; read: gives its bytes again.
    """

    origin: str
    size: int
    md5: str
    md5_stated: bool
    sop_uid: str
    instance: int
    read: Callable[[], bytes]


def md5_of(content: bytes) -> str:
    """Of DICOM files MD5 is what archives state; it guards against accidents, not against forgers."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def verified(content: bytes, series: Series, origin: str, md5: str | None, read: Callable[[], bytes]) -> Part:
    """The file as a part of the series: the MD5 that the archive gave, whole as DICOM, of this series.

    Raises PassingError for damaged bytes, SourceError for a file of another series.
    """
    own = md5_of(content)
    if md5 is not None and own != md5:
        raise PassingError(f"{_name(origin)}: {_what(content)}, MD5 {own} where the archive states {md5}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = BytesIO(content)
            header = read_header(stream)
            instance, sop_uid = int(header.get("InstanceNumber") or 0), str(header.get("SOPInstanceUID", ""))
            uid = str(header.get("SeriesInstanceUID", ""))
            whole = _has_its_pixels(header, stream, len(content))
    except Exception as error:  # pydicom meets malformed bytes with a dozen exception types, none of its own
        raise PassingError(f"{_name(origin)}: {_what(content)}, not readable ({type(error).__name__})") from None
    if uid != series.uid:
        raise SourceError(f"{_name(origin)}: belongs to series {uid[:64]!r}, not to {series.uid}")
    if not is_uid(sop_uid):
        raise SourceError(f"{_name(origin)}: SOPInstanceUID {sop_uid[:64]!r} is no UID")
    if not whole:
        raise PassingError(f"{_name(origin)}: cut short, the pixels are not all there")
    return Part(origin, len(content), own, md5 is not None, sop_uid, instance, read)


def require_series(parts: Iterable[Part], series: Series, *, exact: bool = False) -> None:
    """As many different files and as many bytes as the manifest says, or a PassingError; `exact` as in IDC."""
    parts = list(parts)
    require_counts(len(parts), sum(part.size for part in parts), series, exact=exact)
    if len({part.sop_uid for part in parts}) != len(parts):
        raise PassingError("two files have one SOPInstanceUID")


def require_counts(files: int, total: int, series: Series, *, exact: bool) -> None:
    """The manifest's number of files and, where it knows them, bytes; a PassingError says what is there instead."""
    if files != series.images:
        raise PassingError(f"{files} DICOM files where the manifest has {series.images}")
    if not series.has_size(total, exact=exact):
        raise PassingError(f"{total} bytes where the manifest has {series.size}")


def read_header(stream: BinaryIO, tags: list[str] | None = None) -> FileDataset:
    """The header up to the pixels, or only some `tags` of it; every kind of exception for what is no DICOM file."""
    read_preamble(stream, force=False)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    if str(meta.get("TransferSyntaxUID", "")) == DeflatedExplicitVRLittleEndian:
        # pydicom would inflate the whole file at once, to any size
        raise ValueError("deflated")
    stream.seek(0)
    return dcmread(stream, stop_before_pixels=True, force=False, specific_tags=tags)


def _has_its_pixels(header: FileDataset, stream: BinaryIO, size: int) -> bool:
    """The file holds a whole PixelData element of the size that rows, columns and frames make.

    stream: at the end of the header, where `read_header` leaves it.
    """
    implicit, little = header.original_encoding
    order = "<" if little else ">"
    tag = struct.unpack(f"{order}HH", stream.read(4))
    stream.seek(0 if implicit else 4, 1)
    (length,) = struct.unpack(f"{order}L", stream.read(4))
    if tag != _PIXEL_DATA:
        return False
    if header.file_meta.TransferSyntaxUID.is_encapsulated:
        return length == _UNDEFINED and _has_its_fragments(stream)
    return bool(get_expected_length(header, unit="bytes") <= length <= size - stream.tell())


def _has_its_fragments(stream: BinaryIO) -> bool:
    while len(item := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", item)
        if (group, element) != _ITEM:
            return (group, element) == _SEQUENCE_END
        if len(stream.read(length)) < length:
            return False
    return False


def _name(origin: str) -> str:
    return origin.rpartition("/")[2][:80]


def _what(content: bytes) -> str:
    """Error pages arrive where files are expected: say so."""
    start = content[:64].lstrip()
    if content[128:132] == b"DICM":
        return "damaged"
    return f"text ({start[:20].decode('ascii', 'replace')!r})" if start[:1] in (b"<", b"{", b"[") else "no DICOM file"
