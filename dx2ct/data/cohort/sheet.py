"""The cohort's sample sheet: one row a scan."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
import re

from drr.errors import InputError
from dx2ct.config import SelectionSettings
from dx2ct.data.cohort.selection import flags_of, LEAK, read_rows, select, SPLITS

COLUMNS = ("scan", "patient", "path", "series_uid", "split")
SCAN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Row:
    """One scan: its name, its patient, where it lies, which series of it, and the part of the split it belongs to."""

    scan: str
    patient: str
    path: str
    series_uid: str
    split: str


def read_sheet(
    path: str | Path, leave_out: Collection[str] = (), selection: SelectionSettings | None = None
) -> list[Row]:
    """Read and check a sheet (tab-separated; further columns are allowed and ignored).

    selection: which of its rows, and which of its splits; None takes all rows and the column `split`.
    Raises InputError for a missing column, a bad or repeated scan name, an unknown split, a patient in two splits
    (unless the sheet marks the scan as a known leak of a published split).
    """
    lines = read_rows(path)
    if selection:
        lines, _ = select(lines, asdict(selection))
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
