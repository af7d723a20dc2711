"""The cohort's sample sheet: one row a scan, tab-separated. Everything that reads it checks it here."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
import re

from drr.errors import InputError
from dx2ct.config import SelectionSettings
from dx2ct.data.cohort.selection import divided, leaks, read_rows, select, SPLITS
from dx2ct.data.cohort.selection import Row as Line

COLUMNS = ("scan", "patient", "path", "series_uid", "split")
NEEDED = ("scan", "patient", "series_uid")
_LENGTH = r"([0-9]+([.][0-9]+)?)?"  # mm; empty: not known
_FORMS = {
    "scan": (r"[A-Za-z0-9_][A-Za-z0-9_-]*", "letters, digits, _ and -"),
    "patient": (r".+", "a name"),
    "series_uid": (r"[0-9.]*", "a DICOM UID"),
    "split": ("|".join(SPLITS), f"one of {', '.join(SPLITS)}"),
    "modality": (r"CT|DX|CR", "one of CT, DX, CR"),
    **{name: (_LENGTH, "millimetres") for name in ("slice_mm", "largest_gap_mm", "z_mm", "fov_mm")},
    "contrast": (r"(yes|no)?", "yes, no or empty"),
    "flags": (r"([a-z0-9-]+(,[a-z0-9-]+)*)?", "words with commas between them"),
    "seed": (r"[0-9]+", "a whole number"),
    "header": (r"(\{.*\})?", "JSON in braces, or empty"),
    "recipe": (r"(plain|varied)?", "plain, varied or empty"),
}
_OF_SPLITS = ("|".join([*SPLITS, ""]), f"one of {', '.join(SPLITS)} or empty")  # a column split_NAME


@dataclass(frozen=True)
class Row:
    """One scan: its name, its patient, where it lies, which series of it, and the part of the split it belongs to."""

    scan: str
    patient: str
    path: str
    series_uid: str
    split: str


def checked_rows(path: str | Path, columns: Iterable[str] = ()) -> list[Line]:
    """All rows of a sheet as text; further columns than `columns` are allowed.

    Raises InputError, naming file and line, for a missing column, a value of another form and a repeated scan.
    """
    lines = read_rows(path)
    if not lines:
        raise InputError(f"{path}: no scan in it")
    required = [column for column in (*NEEDED, *columns) if column]
    if missing := [column for column in required if column not in lines[0]]:
        raise InputError(f"{path}: line 1: no column {', '.join(missing)}")
    forms = {name: _form(name) for name in lines[0] if name and _form(name)}
    seen: set[str] = set()
    for number, line in enumerate(lines, start=2):
        for column in required:
            if line[column] is None:
                raise InputError(f"{path}: line {number} has no column {column}")
        for column, form in forms.items():
            if form and not form[0].fullmatch(line[column] or ""):
                raise InputError(f"{path}: line {number}, {column}: {line[column]!r} is not {form[1]}")
        if line["scan"] in seen:
            raise InputError(f"{path}: line {number}: scan {line['scan']} appears twice")
        seen.add(line["scan"])
    return lines


def read_sheet(
    path: str | Path,
    leave_out: Collection[str] = (),
    selection: SelectionSettings | None = None,
    fold: str | None = None,
) -> list[Row]:
    """The scans of a sheet that are used.

    selection: which of its rows, and which of its splits; None takes all rows and the column `split`. fold: NAME, by
    whose column split_NAME the scans are divided instead.
    Raises InputError for what `checked_rows` refuses and for a patient in two splits, unless the sheet marks its scans
    as a known leak of a published split.
    """
    lines = checked_rows(path, () if selection else COLUMNS)
    try:
        if selection:
            lines, _ = select(lines, asdict(selection))
        if fold:
            lines = divided(lines, fold)
        leaks(lines)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    rows = [Row(**{column: line[column] for column in COLUMNS}) for line in lines]
    return [row for row in rows if row.scan not in set(leave_out)]


def _form(column: str) -> tuple[re.Pattern[str], str] | None:
    pattern, text = _OF_SPLITS if column.startswith("split_") else _FORMS.get(column, ("", ""))
    return (re.compile(pattern), text) if pattern else None
