"""PadChest (Bustos et al. 2020): 160,861 films in one table of 36 columns, given out by BIMCV on request alone.

PNGs of 16 bits whose range nothing fixes: what reads them goes by percentiles. ViewPosition_DICOM is empty in 43 of 100
rows, so Projection is followed. Files that are missing or damaged exist, and are found when they are read.
"""

from collections.abc import Callable, Iterator
import csv
import gzip
import math
from pathlib import Path
from typing import IO
import zlib

from drr.errors import InputError
from dx2ct.config.style import PadChestSource
from dx2ct.data.films.film import Film, Listed
from dx2ct.data.tables import require_columns

PROJECTIONS = {"pa": "PA", "lateral": "L"}
BAD_LABELS = ("exclude", "suboptimal study")  # rotated, negative, cut off
COLUMNS = ("ImageID", "ImageDir", "PatientID", "Projection", "Pediatric", "Labels", "SpatialResolution_DICOM")
_REMEDY = "give PadChest's own table, PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv, as style.films[].table"
_SPACING_MM = (0.05, 1.0)  # what a pixel of a detector may measure


def listed(source: PadChestSource, view: str) -> Listed:
    """The films of a view; InputError for a table that cannot be used. Views other than pa and lateral have none."""
    found = Listed()
    for row in _rows(_table(source)):
        if row["Projection"] != PROJECTIONS.get(view):
            continue
        if reason := _reason(row, source.children):
            found.left_out.append((row["ImageID"], reason))
            continue
        path = Path(source.path) / row["ImageDir"] / row["ImageID"]
        patient, spacing = f"padchest {row['PatientID']}", _spacing_mm(row["SpatialResolution_DICOM"])
        found.films.append(Film(row["ImageID"], path, patient, spacing))
    return found


def _reason(row: dict[str, str], children: bool) -> str:
    """Why a film is not taken; empty where it is."""
    if row["Pediatric"] == "PED" and not children:
        return "a child"
    for label in BAD_LABELS:
        if f"'{label}'" in row["Labels"]:
            return f"labelled {label}"
    inside = all(row[name] and Path(row[name]).name == row[name] for name in ("ImageDir", "ImageID"))
    return "" if inside else "ImageDir and ImageID name no file"


def _table(source: PadChestSource) -> Path:
    if source.table:
        return Path(source.table)
    tables = sorted(Path(source.path).glob("PADCHEST_*.csv*"))
    if not tables:
        raise InputError(f"{source.path}: no PADCHEST_*.csv there: {_REMEDY}")
    return tables[0]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table of 36 columns, whose first has no name in some copies; cells that are missing are empty."""
    try:
        opened: Callable[..., IO[str]] = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            require_columns(path, _REMEDY, COLUMNS, reader.fieldnames or ())
            for row in reader:
                yield {name: (row[name] or "").strip() for name in COLUMNS}
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}): {_REMEDY}") from None


def _spacing_mm(text: str) -> float | None:
    """Of a pixel, where the table says one that a detector can have."""
    try:
        spacing = float(text)
    except ValueError:
        return None
    return spacing if math.isfinite(spacing) and _SPACING_MM[0] <= spacing <= _SPACING_MM[1] else None
