"""A table as CSV, Markdown and LaTeX.

Written by hand: pandas still needs every cell as text for Markdown, and its LaTeX leaves signs such as ≥ as they are.
"""

from collections.abc import Mapping, Sequence
import csv
from dataclasses import dataclass, field, replace
from io import StringIO
import math
from pathlib import Path
import re

from drr.files import replacing
from dx2ct.data.tables import read_table as read_rows

Cell = str | float | None
DASH = "–"


@dataclass(frozen=True)
class Column:
    """key: of the rows; digits: after the point, None for text; best: +1 higher is better, -1 lower, 0 neither."""

    key: str
    title: str
    digits: int | None = None
    best: int = 0

    @property
    def label(self) -> str:
        """The title with its direction."""
        return self.title + {1: " ↑", 0: "", -1: " ↓"}[self.best]


@dataclass(frozen=True)
class Table:
    """Rows are mappings from a column's key; what is missing, None or NaN is an empty cell in CSV, a dash elsewhere.

    marks_best: the best value of a column is marked, where it ranks two rows or more.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]] = field(default_factory=list)
    marks_best: bool = True

    def texts(self) -> list[list[tuple[str, bool]]]:
        """Each row's cells as they are printed, and whether they are marked as the best of their column."""
        best = {column.key: self._best(column) for column in self.columns}
        return [
            [(_text(row.get(c.key), c.digits), _is(row.get(c.key), best[c.key])) for c in self.columns]
            for row in self.rows
        ]

    def _best(self, column: Column) -> float | None:
        numbers = [number for row in self.rows if (number := _number(row.get(column.key))) is not None]
        if not self.marks_best or not column.best or len(numbers) < 2:
            return None
        return (max if column.best > 0 else min)(numbers)

    def write(self, folder: Path) -> None:
        """folder/NAME.csv, .md and .tex."""
        for suffix, text in (("csv", self.to_csv()), ("md", self.to_markdown()), ("tex", self.to_latex())):
            with replacing(folder / f"{self.name}.{suffix}") as part:
                part.write_text(text, encoding="utf-8")

    def to_csv(self) -> str:
        """A header of keys and the unrounded values."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        for row in self.rows:
            writer.writerow(["" if _is_empty(cell := row.get(column.key)) else cell for column in self.columns])
        return text.getvalue()

    def to_markdown(self) -> str:
        """A pipe table under its caption; the best value is bold."""
        rules = ["---" if column.digits is None else "---:" for column in self.columns]
        cells = [[f"**{text}**" if bold else text.replace("|", "\\|") for text, bold in row] for row in self.texts()]
        lines = [[column.label for column in self.columns], rules, *cells]
        return "\n".join([self.caption, "", *("| " + " | ".join(line) + " |" for line in lines)]) + "\n"

    def to_latex(self) -> str:
        """A table environment that needs the package booktabs; the best value is bold."""
        heads = [_tex(c.title) + {1: r" $\uparrow$", 0: "", -1: r" $\downarrow$"}[c.best] for c in self.columns]
        cells = [[rf"\textbf{{{_tex(text)}}}" if bold else _tex(text) for text, bold in row] for row in self.texts()]
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(self.caption)}}}",
            rf"\begin{{tabular}}{{{''.join('l' if c.digits is None else 'r' for c in self.columns)}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in cells),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"


def read_table(empty: Table, folder: Path) -> Table:
    """The table with the rows that `write` left in the folder; InputError when they are not there."""
    path = folder / f"{empty.name}.csv"
    keys = [column.key for column in empty.columns]
    return replace(empty, rows=read_rows(path, "run the tables stage", columns=keys))


def _number(cell: Cell) -> float | None:
    try:
        number = float(cell) if cell is not None else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _is_empty(cell: Cell) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _is(cell: Cell, best: float | None) -> bool:
    return best is not None and _number(cell) == best


def _text(cell: Cell, digits: int | None) -> str:
    if _is_empty(cell):
        return DASH
    number = None if digits is None else _number(cell)
    return str(cell) if number is None else f"{number:,.{digits}f}"


def _tex(text: str) -> str:
    """Text in which nothing is a command of LaTeX."""
    signs = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", DASH: "--", "²": "$^2$"}
    signs |= {sign: "\\" + sign for sign in "&%$#_{}"} | {"≥": r"$\ge$", "±": r"$\pm$", "<": "$<$", ">": "$>$"}
    return re.sub("|".join(map(re.escape, signs)), lambda found: signs[found[0]], text)
