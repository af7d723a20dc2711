"""dx2ct predict --sheet: one CT for every row of a table of X-ray files."""

from collections.abc import Mapping, Sequence
import csv
from dataclasses import dataclass
from pathlib import Path
import re
import time
from typing import Any

from drr.ct.sources import note
from drr.errors import InputError
from drr.progress import each, say
from dx2ct.predict.command import Outputs, predict
from dx2ct.predict.framing import Framing, over, parse_framings
from dx2ct.predict.model import Model

FRAMINGS = ("crop", "rotate", "flip", "invert", "spacing_mm", "sid_mm", "odd_mm")
_NAME = re.compile(r"[\w][\w.-]{0,99}")
_MAX_BYTES = 2**24


@dataclass(frozen=True)
class Row:
    """One patient of the sheet: what its CT is called, its X-rays by view, how they are framed."""

    name: str
    files: Mapping[str, Path]
    framing: Mapping[str, Framing]


def read_films(sheet: Path, views: Sequence[str], framing: Mapping[str, Sequence[str]]) -> list[Row]:
    """The rows of a table with tabs: a column `name`, one of each view, and words of FRAMINGS as on the command line.

    Files are named from the sheet's folder. framing: words that hold for all rows, by option. Raises InputError, naming
    the line, for a sheet that cannot be meant.
    """
    try:
        if sheet.stat().st_size > _MAX_BYTES:
            raise InputError(f"{sheet}: too large for a table of films")
        lines = sheet.read_text(encoding="utf-8-sig").splitlines()
        table = [*csv.reader(lines, delimiter="\t")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{sheet}: cannot be read ({error})") from None
    header = [word.strip() for word in table[0]] if table else []
    unknown = [word for word in header if word not in ("name", *views, *FRAMINGS)]
    if "name" not in header or not set(header) & set(views) or unknown or len(set(header)) < len(header):
        known = ", ".join(("name", *views, *FRAMINGS))
        raise InputError(
            f"{sheet}: its first line is {' '.join(header)[:80]!r}, with tabs between them: say of {known}"
        )
    rows = [
        _row(sheet, number, dict(zip(header, line, strict=False)), views, framing)
        for number, line in enumerate(table[1:], start=2)
        if any(line)
    ]
    names = [row.name.lower() for row in rows]
    if not rows or len(set(names)) < len(names):
        twice = next((row.name for row in rows if names.count(row.name.lower()) > 1), None)
        raise InputError(f"{sheet}: {'no films' if twice is None else f'{twice} is the name of two rows'}")
    return rows


def _row(
    sheet: Path, number: int, cells: Mapping[str, str], views: Sequence[str], framing: Mapping[str, Sequence[str]]
) -> Row:
    name = cells["name"].strip() if cells.get("name") else ""
    if not _NAME.fullmatch(name):
        raise InputError(f"{sheet}: line {number}: {name[:80]!r} is no name for a file: letters, digits, _ - and dots")
    files = {view: sheet.parent / cells[view].strip() for view in views if (cells.get(view) or "").strip()}
    words = [over(option, (cells.get(option) or "").split(), framing.get(option, ())) for option in FRAMINGS]
    try:
        return Row(name, files, parse_framings(list(files), *words))
    except InputError as error:
        raise InputError(f"{sheet}: line {number}: {error}") from None


def predict_all(
    model: Model, rows: Sequence[Row], folder: Path, asked: Mapping[str, Any], passes: int | None = None
) -> None:
    """Write NAME.nii.gz, NAME.run.json and NAME.preview.png of every row into `folder`; a line for each on stderr.

    A row that fails does not stop the others. Raises InputError, naming them, when all are done.
    """
    told: set[str] = set()
    failed = []

    def tell_once(text: str) -> None:
        if text not in told:
            told.add(text)
            note(text)

    for number, row in enumerate(each(rows, "films", "row"), start=1):
        began = time.perf_counter()
        outputs = Outputs(folder / f"{row.name}.nii.gz", preview=folder / f"{row.name}.preview.png")
        try:
            predict(model, row.files, row.framing, outputs, asked, tell_once, passes)
            done = f"{time.perf_counter() - began:.1f} s"
        except (InputError, OSError, MemoryError) as error:
            failed.append(row.name)
            done = f"failed: {error or type(error).__name__}"
        say(f"{number}/{len(rows)} {row.name}: {done}")
    if failed:
        raise InputError(f"{len(failed)} of {len(rows)} films failed: {', '.join(failed)[:200]}")
