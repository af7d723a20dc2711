"""CT-RATE's tables of metadata: what the DICOM headers said that its first volumes were made of."""

from collections.abc import Iterator, Mapping
import csv
from pathlib import Path
import re

from drr.ct.restated import Restated
from drr.errors import InputError
from dx2ct.data.cohort.walk import Tree

METADATA = {"train": "train_metadata.csv", "valid": "validation_metadata.csv"}
_NAME = "VolumeName"
# {column: how many numbers}, in the order that `_header` takes them.
_NUMBERS_IN = {
    "RescaleSlope": 1,
    "RescaleIntercept": 1,
    "XYSpacing": 2,
    "ZSpacing": 1,
    "ImageOrientationPatient": 6,
    "ImagePositionPatient": 3,
}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def headers(tree: Tree, volumes: Mapping[str, str]) -> dict[str, Restated | InputError]:
    """What holds instead of the headers of some volumes, {file name: train or valid}; what is wrong with others.

    A volume that the metadata does not name is in none of them. Raises InputError where the metadata is missing.
    """
    found: dict[str, Restated | InputError] = {}
    for part in sorted(set(volumes.values())):
        for row in _rows(_table(tree, part)):
            if volumes.get(row[_NAME]) == part:
                found[row[_NAME]] = _header(row, METADATA[part])
    return found


def _table(tree: Tree, part: str) -> Path:
    """The table of a part: anywhere in the folder, or in `metadata` beside it."""
    name = METADATA[part]
    places = [path for path in tree.files if path.name == name]
    beside = tree.folder.parent / "metadata" / name
    if places or beside.is_file():
        return places[0] if places else beside
    raise InputError(
        f"{tree.folder}: the volumes of {part} have blank headers: download dataset/metadata/{name} of CT-RATE into "
        f"this folder, or take {part}_fixed, whose headers are whole"
    )


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    """The rows of a table, of which only one is in memory at a time."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in (_NAME, *_NUMBERS_IN) if name not in (reader.fieldnames or ())]:
                raise InputError(f"{path}: lacks the columns {', '.join(missing)}: download it again")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}): download it again") from None


def _header(row: Mapping[str, str], name: str) -> Restated | InputError:
    try:
        slope, intercept, spacing, step, axes, position = (_numbers(row, column, name) for column in _NUMBERS_IN)
        return Restated(
            slope[0],
            intercept[0],
            (spacing[0], spacing[1], step[0]),
            (axes[0], axes[1], axes[2], axes[3], axes[4], axes[5]),
            (position[0], position[1], position[2]),
            blank_only=True,
        )
    except InputError as error:
        return error


def _numbers(row: Mapping[str, str], column: str, name: str) -> list[float]:
    """The numbers of a cell, such as `[0.7, 0.7]` or `['1', '0']`."""
    numbers = [float(one) for one in _NUMBER.findall(row[column] or "")]
    if len(numbers) != _NUMBERS_IN[column]:
        raise InputError(f"{name} says nothing of its {column} ({row[column] or 'empty'})")
    return numbers
