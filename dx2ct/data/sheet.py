"""The cohort's sample sheet: one row a scan."""

from collections.abc import Collection
import csv
from dataclasses import dataclass
from pathlib import Path
import re

from drr.errors import InputError
from dx2ct.selection import flags_of, LEAK

COLUMNS = ("scan", "patient", "path", "series_uid", "split")
SPLITS = ("train", "val", "test")
SCAN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Row:
    """One scan: its name, its patient, where it lies, which series of it, and the part of the split it belongs to."""

    scan: str
    patient: str
    path: str
    series_uid: str
    split: str


def read_sheet(path: str | Path, leave_out: Collection[str] = ()) -> list[Row]:
    """Read and check a sheet (tab-separated; further columns are allowed and ignored).

    Raises InputError for a missing column, a bad or repeated scan name, an unknown split, a patient in two splits
    (unless the sheet marks the scan as a known leak of a published split).
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: sample sheet cannot be read ({error})") from None
    rows: list[Row] = []
    split_of: dict[str, str] = {}
    for number, line in enumerate(lines, start=2):
        missing = [column for column in COLUMNS if line.get(column) is None]
        if missing:
            raise InputError(f"{path}: line {number} has no column {', '.join(missing)}")
        row = Row(**{column: line[column] for column in COLUMNS})
        if not SCAN_NAME.fullmatch(row.scan):
            raise InputError(f"{path}: line {number}: scan name {row.scan!r} is not letters, digits, _ and -")
        if row.split not in SPLITS:
            raise InputError(f"{path}: line {number}: split {row.split!r} is not one of {', '.join(SPLITS)}")
        if split_of.setdefault(row.patient, row.split) != row.split and LEAK not in flags_of(line):
            raise InputError(f"{path}: patient {row.patient} is in two splits ({split_of[row.patient]}, {row.split})")
        rows.append(row)
    if len({row.scan for row in rows}) != len(rows):
        raise InputError(f"{path}: a scan name appears twice")
    return [row for row in rows if row.scan not in set(leave_out)]
