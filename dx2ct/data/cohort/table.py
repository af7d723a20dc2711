"""A cohort that somebody has listed: a table of files, patients and splits, separated by tabs, commas or semicolons."""

from collections.abc import Iterator, Mapping, Sequence
import csv
import os
from pathlib import Path
import re

from drr.ct.restated import Restated
from drr.errors import InputError
from dx2ct.data.cohort.listed import Listed, SPLIT_OF
from dx2ct.data.cohort.listing import Listing
from dx2ct.data.cohort.names import written
from dx2ct.data.cohort.places import LeftOut

SUFFIXES = (".csv", ".tsv")
# What a column may be called, without regard to case, blanks, - and _.
NAMES = {
    "path": ("path", "file", "filename", "filepath", "image"),
    "patient": ("patient", "patientid", "subject", "subjectid", "participant", "participantid"),
    "split": ("split", "set", "partition"),
    "series_uid": ("seriesuid", "seriesinstanceuid"),
    "slope": ("slope", "rescaleslope"),
    "intercept": ("intercept", "rescaleintercept"),
}
_NEEDED = ("path", "patient")
_FOLD = re.compile(r"split_[a-z0-9_]+")
_MOST_NAMES = 6
Cells = Mapping[str, str]


def read_listing(table: Path) -> Listing:
    """The scans of a table, and its faulty rows as scans left out; paths are relative to the table.

    Raises InputError for a table that cannot be read, lacks a column or names one twice, and without any row.
    """
    head, lines = _lines(table)
    columns = _columns(table, head)
    listed: list[Listed] = []
    left_out: list[LeftOut] = []
    seen: dict[tuple[str, str], int] = {}
    for number, line in lines:
        cells = {name: line[k].strip() if k < len(line) else "" for name, k in columns.items()}
        path = table.parent / cells["path"]
        try:
            if any(cell.strip() for cell in line[len(head) :]):
                raise InputError(f"more than {len(head)} cells")
            one = _listed(path, cells, f"{table.name} line {number}")
            key = (os.path.realpath(path), one.series_uid)
            if key in seen:
                raise InputError(f"the same scan as line {seen[key]}")
            seen[key] = number
            listed.append(one)
        except InputError as error:
            left_out.append(LeftOut(path, f"{table.name} line {number}: {error}"))
    if not listed and not left_out:
        raise InputError(f"{table}: no scan in it")
    return Listing(_around(listed, table), listed=listed, left_out=left_out, remarks=_unread(table, head, columns))


def _lines(table: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The head line, and the others that are not empty with their numbers."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte order mark
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max("\t,;", key=first.count))
            lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read ({error}): save it as CSV in UTF-8") from None
    if not lines:
        raise InputError(f"{table}: empty: its first line names the columns, {' and '.join(_NEEDED)} at least")
    return [cell.strip() for cell in lines[0][1]], iter(lines[1:])


def _columns(table: Path, head: Sequence[str]) -> dict[str, int]:
    """{what it is: index}, of the columns that are read."""
    plain = [re.sub(r"[\s_-]", "", name.casefold()) for name in head]
    found = {name: k for k, name in enumerate(head) if _FOLD.fullmatch(name)}
    for name, words in NAMES.items():
        places = [k for k, word in enumerate(plain) if word in words]
        if len(places) > 1:
            twice = " and ".join(head[k] for k in places)
            raise InputError(f"{table}: line 1: {twice} are both the {name}: rename one of them")
        if places:
            found[name] = places[0]
        elif name in _NEEDED:
            raise InputError(f"{table}: line 1: no column {name}: name one {', '.join(words)}")
    return found


def _unread(table: Path, head: Sequence[str], columns: Mapping[str, int]) -> list[str]:
    names = [name for k, name in enumerate(head) if k not in columns.values()]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return [f"{table}: not read: the columns {', '.join(names[:_MOST_NAMES])}{more}"] if names else []


def _listed(path: Path, cells: Cells, at: str) -> Listed:
    """One row; InputError for a value that is none."""
    for name in _NEEDED:
        if not written(cells[name]):
            raise InputError(f"no {name}")
    if not os.path.exists(path):  # of a name that is too long Path.exists raises
        raise InputError("no such file or folder")
    uid = cells.get("series_uid", "")
    if not re.fullmatch(r"[0-9.]*", uid):
        raise InputError(f"series_uid {uid!r} is no DICOM UID")
    splits = {name: _split(name, cell) for name, cell in cells.items() if name == "split" or _FOLD.fullmatch(name)}
    if splits.get("split", "train") == "":
        raise InputError("split is empty: train, val or test")
    split = splits.pop("split", "")
    return Listed(
        Path(os.path.abspath(path)),
        written(cells["patient"]),
        "column patient",
        split,
        uid,
        restated=_restated(cells),
        folds=splits,
        at=at,
    )


def _split(column: str, cell: str) -> str:
    if cell and cell.casefold() not in SPLIT_OF:
        raise InputError(f"{column} {cell!r} is not train, val or test")
    return SPLIT_OF.get(cell.casefold(), "")


def _restated(cells: Cells) -> Restated | None:
    """None where neither number is given."""
    slope, intercept = (_number(name, cells.get(name, "")) for name in ("slope", "intercept"))
    if slope is None and intercept is None:
        return None
    return Restated(1.0 if slope is None else slope, intercept or 0.0)


def _number(name: str, cell: str) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        raise InputError(f"{name} {cell!r} is no number") from None


def _around(listed: Sequence[Listed], table: Path) -> Path:
    """The folder that all scans lie in."""
    return Path(os.path.commonpath([one.path.parent for one in listed])) if listed else table.resolve().parent
