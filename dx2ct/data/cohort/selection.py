"""Which scans of a sheet a cohort takes: its split, its filters, its size. The rules read this too.

Standard library only, and of this project what is as light: every job of a cluster imports it again.
"""

from collections.abc import Mapping, Sequence
import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from drr.ct.patient import patient_key
from drr.errors import InputError

Row = dict[str, str]
SPLITS = ("train", "val", "test")
# A patient in two splits is refused, unless the sheet itself says of each of its scans that the published list does so.
LEAK = "split-leak"
# filter: (column it looks at, True for a lower bound)
BOUNDS = {
    "max_slice_mm": ("slice_mm", False),
    "max_gap_mm": ("largest_gap_mm", False),
    "min_z_mm": ("z_mm", True),
    "max_z_mm": ("z_mm", False),
    "min_fov_mm": ("fov_mm", True),
    "max_fov_mm": ("fov_mm", False),
}


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a sheet (tab-separated), their values unchecked; blanks around values are dropped.

    Raises InputError, naming the line, when it cannot be read, when the head line names a column twice, and for a line
    with more cells than that.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte order mark
            reader = csv.DictReader(file, delimiter="\t")
            columns = reader.fieldnames or []
            if twice := [column for column in columns if columns.count(column) > 1]:
                raise InputError(f"{path}: line 1: column {twice[0]!r} appears twice")
            rows = []
            for row in reader:
                further: Sequence[str] = row.pop(None, None) or ()
                if any(cell.strip() for cell in further):
                    raise InputError(f"{path}: line {reader.line_num} has more than {len(columns)} cells")
                rows.append({column: _cell(column, value) for column, value in row.items()})
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: sheet cannot be read ({error})") from None


def _cell(column: str, value: str) -> str:
    """The name of a file may end in a blank; None stays what a short line lacks."""
    return value.strip() if value and column != "path" else value


def select(rows: Sequence[Row], cohort: Mapping[str, Any]) -> tuple[list[Row], list[tuple[str, str]]]:
    """The CTs to use, each with its `split` and `path`, and (scan, reason) of all others, both in the sheet's order.

    cohort: the section of config.yaml; `split` names the column split_NAME, None the column `split`. A scan of the
    archive has no path of its own: it is downloaded to data/raw/SCAN.zip.
    Raises InputError for a column that is not there, and when a limit leaves no patient to train or to test.
    """
    column = f"split_{cohort['split']}" if cohort["split"] else "split"
    rows = [row for row in rows if row.get("modality", "CT") == "CT"]
    _require_columns(rows, column, cohort["filters"])
    reasons = {row["scan"]: _reason(row, column, cohort["filters"]) for row in rows}
    kept = [row | {"split": row[column], "path": _path(row)} for row in rows if not reasons[row["scan"]]]
    if cohort["limit"]:
        chosen = _first_patients(kept, cohort["limit"])
        reasons |= {row["scan"]: f"beyond the limit of {cohort['limit']} patients" for row in kept}
        kept = [row for row in kept if patient_key(row["patient"]) in chosen]
    names = {row["scan"] for row in kept}
    return kept, [(scan, reason) for scan, reason in reasons.items() if scan not in names]


def divided(rows: Sequence[Row], fold: str) -> list[Row]:
    """The rows that the column split_FOLD names a part for, with that part as their `split`.

    Raises InputError for a sheet without the column.
    """
    column = f"split_{fold}"
    if rows and column not in rows[0]:
        known = [name.removeprefix("split_") for name in rows[0] if name.startswith("split_")]
        raise InputError(f"the sheet has no column {column}; its folds are {', '.join(known) or 'none'}")
    return [row | {"split": row[column]} for row in rows if row[column]]


def flags_of(row: Mapping[str, str]) -> set[str]:
    """Known defects of a scan: the words of its column `flags`."""
    return set(filter(None, (row.get("flags") or "").split(",")))


def leaks(rows: Sequence[Row]) -> list[str]:
    """Patients in two splits; InputError for one whose scans are not all marked as a known leak.

    Names that `patient_key` does not tell apart are one patient.
    """
    of_patient: dict[str, list[Row]] = {}
    for row in rows:
        of_patient.setdefault(patient_key(row["patient"]), []).append(row)
    found = []
    for scans in of_patient.values():
        splits = sorted({row["split"] for row in scans})
        if len(splits) < 2:
            continue
        names = list(dict.fromkeys(row["patient"] for row in scans))
        if not all(LEAK in flags_of(row) for row in scans):
            also = f", also written {', '.join(map(repr, names[1:]))}," if names[1:] else ""
            raise InputError(f"patient {names[0]}{also} is in two splits ({', '.join(splits)})")
        found.append(names[0])
    return found


def shared_patients(some: Sequence[Row], others: Sequence[Row]) -> list[str]:
    """Patients with scans among both, but for known leaks of a published split."""
    keys = {patient_key(row["patient"]) for row in some if LEAK not in flags_of(row)}
    shared = (row["patient"] for row in others if patient_key(row["patient"]) in keys and LEAK not in flags_of(row))
    return list(dict.fromkeys(shared))


def fingerprint(kept: Sequence[Row], left_out: Sequence[tuple[str, str]]) -> str:
    """What the two tables of a cohort say, in short: changes when either does."""
    return hashlib.sha256(json.dumps([kept, left_out], sort_keys=True).encode()).hexdigest()[:16]


def _require_columns(rows: Sequence[Row], split: str, filters: Mapping[str, Any]) -> None:
    """A filter that looks at nothing would keep everything without a word."""
    needed = {"split": split} | {
        f"filters.{name}": fact for name, (fact, _) in BOUNDS.items() if filters[name] is not None
    }
    if filters["contrast"] is not None:
        needed["filters.contrast"] = "contrast"
    if filters["exclude_flags"]:
        needed["filters.exclude_flags"] = "flags"
    for key, column in needed.items():
        if rows and column not in rows[0]:
            raise InputError(f"cohort.{key} needs the column {column}, which the sheet does not have")


def _path(row: Row) -> str:
    return f"data/raw/{row['scan']}.zip" if "idc_uuid" in row else row["path"]


def _reason(row: Row, column: str, filters: Mapping[str, Any]) -> str:
    """Why a row is not used; empty when it is."""
    if not row[column]:
        return f"not part of {column.replace('_', ' ', 1)}"
    return filter_reason(row, filters)


def filter_reason(row: Mapping[str, str], filters: Mapping[str, Any]) -> str:
    """The first filter that a row does not pass, in words; empty when it passes all. What is unknown does not pass."""
    for name, (fact, is_lower) in BOUNDS.items():
        bound = filters[name]
        if bound is None:
            continue
        value = row[fact]
        if not value:
            return f"{fact} is not known, {name} is {bound:g}"
        if float(value) < bound if is_lower else float(value) > bound:
            return f"{fact} {value} is {'below' if is_lower else 'above'} {name} {bound:g}"
    asked = {None: None, True: "yes", False: "no"}[filters["contrast"]]
    if asked and row["contrast"] != asked:
        return f"contrast is {row['contrast'] or 'not known'}, asked is {asked}"
    bad = sorted(flags_of(row) & set(filters["exclude_flags"]))
    return f"flagged {', '.join(bad)}" if bad else ""


def _first_patients(rows: Sequence[Row], limit: int) -> set[str]:
    """`limit` patients in the sheet's order, divided among the splits as all are; one at least trains, one tests."""
    by_split: dict[str, list[str]] = {split: [] for split in SPLITS}
    for row in rows:
        if (patient := patient_key(row["patient"])) not in by_split.setdefault(row["split"], []):
            by_split[row["split"]].append(patient)
    everyone = list(dict.fromkeys(patient_key(row["patient"]) for row in rows))
    total = len(everyone)
    if limit >= total or not (by_split["train"] and by_split["test"]):  # where nothing trains or is tested, the first
        return set(everyone[:limit])
    if limit < 2:
        raise InputError(f"cohort.limit: {limit} patient(s) can not be divided into training and test")
    test = min(max(round(limit * len(by_split["test"]) / total), 1), limit - 1)
    val = min(round(limit * len(by_split["val"]) / total), limit - test - 1)
    return set(by_split["test"][:test] + by_split["val"][:val] + by_split["train"][: limit - test - val])
