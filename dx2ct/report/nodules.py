"""What becomes of nodules, by their size: rows of the table nodules."""

from pathlib import Path

from dx2ct import layout
from dx2ct.data.tables import read_frame
from dx2ct.report.table import Cell
from dx2ct.scoring.run import AGAIN
from dx2ct.scoring.scan import NODULE_COLUMNS

SIZES_MM = (0, 6, 8, 15, 30)  # where Lung-RADS 2022 draws its lines; from 30 mm on it is called a mass


def nodules_by_size(run: Path) -> list[dict[str, Cell]]:
    """One row a class of SIZES_MM that has a nodule."""
    found = read_frame(layout.scores(run, "nodules"), AGAIN, text=("scan",), columns=NODULE_COLUMNS)
    rows: list[dict[str, Cell]] = []
    for low, high in zip(SIZES_MM, (*SIZES_MM[1:], float("inf")), strict=True):
        some = found[(found["diameter_mm"] >= low) & (found["diameter_mm"] < high)]
        kept = some["kept"].dropna()
        size = f"≥ {low}" if high == float("inf") else f"{low} to {high}"
        lower, median, upper = map(float, kept.quantile([0.25, 0.5, 0.75]))
        numbers = {"mean": float(kept.mean()), "median": median, "lower": lower, "upper": upper}
        if len(some):
            rows.append({"run": run.name, "size_mm": size, "nodules": len(some), "visible": len(kept), **numbers})
    return rows
