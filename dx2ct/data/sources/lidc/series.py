"""What the frozen manifest says of one series: everything that a source is held against."""

import csv
from dataclasses import dataclass
from pathlib import Path
import re

from drr.errors import InputError

# What a zip adds to its files: entries, a licence, a table.
_SLACK, _SLACK_PER_IMAGE = 2**20, 2**10
# Archives and exports rewrite headers: the files of LIDC-IDRI-0001 are 6 bytes longer outside IDC than in it.
_OTHER_HEADER = 2**13
_UNKNOWN_IMAGE = 2**25
_UID = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_COLUMNS = ("series_uid", "images", "bytes", "idc_uuid")


@dataclass(frozen=True)
class Series:
    """One row of the manifest.

    size: bytes of all files together as IDC has them, None where unknown; idc_uuid: "" where IDC lacks the series.
    """

    uid: str
    images: int
    size: int | None
    idc_uuid: str

    @property
    def most_bytes(self) -> int:
        """No answer that holds the whole series may be longer."""
        each = _SLACK_PER_IMAGE + (_UNKNOWN_IMAGE if self.size is None else _OTHER_HEADER)
        return (self.size or 0) + _SLACK + self.images * each

    def has_size(self, total: int, *, exact: bool) -> bool:
        """True when files of `total` bytes can be this series: exactly so in IDC, but for the headers elsewhere."""
        return self.size is None or abs(total - self.size) <= (0 if exact else self.images * _OTHER_HEADER)


def is_uid(text: str) -> bool:
    """True for a DICOM UID: numbers without leading zeros between dots, at most 64 characters."""
    return _UID.match(text) is not None


def find_series(manifest: Path, uid: str) -> Series:
    """The row of the manifest (tab-separated, columns series_uid, images, bytes and idc_uuid at least) with this UID.

    Raises InputError when there is no such row, or no good one.
    """
    if not is_uid(uid):
        raise InputError(f"--series {uid!r} is no DICOM UID: give a SeriesInstanceUID of {manifest}")
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row.get("series_uid") == uid]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: cannot be read ({error}): give the manifest of the collection") from None
    if len(rows) != 1:
        raise InputError(f"{manifest}: {len(rows)} rows with series_uid {uid}: there must be one")
    try:
        return _series(rows[0])
    except (KeyError, TypeError, ValueError) as error:
        columns = ", ".join(_COLUMNS)
        raise InputError(f"{manifest}: row of series {uid}: {error!r}: the columns {columns} are needed") from None


def _series(row: dict[str, str]) -> Series:
    uid, images, size, uuid = (row[column].strip() for column in _COLUMNS)
    if int(images) < 1 or (size and int(size) < 1) or (uuid and not _UUID.match(uuid)):
        raise ValueError(f"images {images}, bytes {size}, idc_uuid {uuid}")
    return Series(uid, int(images), int(size) if size else None, uuid)
