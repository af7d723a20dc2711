"""Stage cohort: write down which scans of the sheet are used, and why the others are not."""

from collections.abc import Iterable, Sequence
import csv
from dataclasses import asdict
from pathlib import Path

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import SelectionSettings
from dx2ct.data.cohort.selection import divided, leaks, read_rows, select
from dx2ct.data.cohort.sheet import COLUMNS


def write_used_cohort(
    sheet: Path,
    settings: SelectionSettings,
    failed: Sequence[Path],
    output: Path,
    left_out: Path,
    folds: Sequence[str] = (),
) -> None:
    """Write the rows in use to `output`, a sample sheet with every further column, and (scan, reason) to `left_out`.

    failed: records SCAN.txt of scans that could not be read; the first line is the reason. folds: of the columns
    split_NAME those that stay.
    Raises InputError for a sheet or a record that cannot be read, and for a split that is none.
    """
    reasons = {record.stem: _first_line(record) for record in failed}
    kept, others = select(read_rows(sheet), asdict(settings))
    leaks(kept)
    for fold in folds:
        leaks(divided(kept, fold))
    kept_columns = [f"split_{fold}" for fold in folds]
    used = [row for row in kept if row["scan"] not in reasons]
    further = [key for key in (kept[0] if kept else ()) if key not in COLUMNS and not key.startswith("split_")]
    columns = [*COLUMNS, *further, *kept_columns]
    write_table(output, columns, ([row[column] for column in columns] for row in used))
    write_table(left_out, ("scan", "reason"), [*others, *reasons.items()])


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Write tab-separated lines under a head line, whole or not at all."""
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)


def _first_line(record: Path) -> str:
    try:
        return record.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{record}: record of a left-out scan cannot be read ({error})") from None
