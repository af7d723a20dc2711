"""The one reader of tables with a header: as rows of text, or as a data frame of numbers."""

from collections.abc import Iterable
import csv
from pathlib import Path
from typing import TYPE_CHECKING

from drr.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, str]


def read_table(path: Path, remedy: str, delimiter: str = ",", columns: Iterable[str] = ()) -> list[Row]:
    """The rows as text, by column.

    remedy: what to do about a file that cannot be read or lacks some of the columns: the end of the InputError.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            rows, found = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}): {remedy}") from None
    require_columns(path, remedy, columns, found)
    return rows


def read_frame(path: Path, remedy: str, text: Iterable[str], columns: Iterable[str] = ()) -> "pd.DataFrame":
    """The rows as numbers, empty cells as NaN, but for the columns `text`. InputError as of `read_table`."""
    import pandas as pd

    try:
        # The engine in C turns a MemoryError of a read into a ParserError without its reason.
        frame = pd.read_csv(path, dtype=dict.fromkeys(text, str), encoding="utf-8-sig", engine="python")
        for name in frame.columns.difference(list(text)):
            if not pd.api.types.is_numeric_dtype(frame[name]):
                frame[name] = frame[name].astype(float)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())}): {remedy}") from None
    require_columns(path, remedy, columns, frame.columns)
    return frame


def require_columns(path: Path, remedy: str, columns: Iterable[str], found: Iterable[str]) -> None:
    """Raise InputError, naming those of the columns that are not found."""
    if missing := set(columns) - set(found):
        raise InputError(f"{path}: lacks the columns {', '.join(sorted(missing))}: {remedy}")
