"""What the frozen manifest says of one series: everything that a source is held against."""

import csv
from dataclasses import dataclass
from pathlib import Path
import re

from drr.errors import InputError

# What a zip adds to its files: entries, a licence, a table.
_SLACK, _SLACK_PER_IMAGE = 2**20, 2**10
_UNKNOWN_IMAGE = 2**25
_UID = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_COLUMNS = ("series_uid", "images", "size_mb", "idc_uuid")


@dataclass(frozen=True)
class Series:
    """One row of the manifest.

    size: bytes of all files together, true within `rounding`, None where unknown; idc_uuid: "" where IDC lacks it.
    """

    uid: str
    images: int
    size: int | None
    rounding: int
    idc_uuid: str

    @property
    def most_bytes(self) -> int:
        """No answer that holds the whole series may be longer."""
        most = self.images * _UNKNOWN_IMAGE if self.size is None else self.size + self.rounding
        return most + _SLACK + self.images * _SLACK_PER_IMAGE

    def has_size(self, total: int) -> bool:
        """True when files of `total` bytes can be this series."""
        return self.size is None or abs(total - self.size) <= self.rounding


def is_uid(text: str) -> bool:
    """True for a DICOM UID: numbers without leading zeros between dots, at most 64 characters."""
    return _UID.match(text) is not None


def find_series(manifest: Path, uid: str) -> Series:
    """The row of the manifest (tab-separated, columns series_uid, images, size_mb and idc_uuid at least) with this UID.

    size_mb is in 10^6 bytes and true to its last decimal. Raises InputError when there is no such row, or no good one.
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
    uid, images, size_mb, uuid = (row[column].strip() for column in _COLUMNS)
    if int(images) < 1 or (uuid and not _UUID.match(uuid)):
        raise ValueError(f"images {images}, idc_uuid {uuid}")
    decimals = len(size_mb.partition(".")[2])
    size = round(float(size_mb) * 1e6) if size_mb else None
    return Series(uid, int(images), size, round(0.5 * 10 ** (6 - decimals)) + 1, uuid)
