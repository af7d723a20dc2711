"""Where a cohort's nodules are: phantoms know, LIDC-IDRI's readers outlined them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.data.tables import read_table
from dx2ct.metrics.nodule import Nodule

COLUMNS = ("scan", "column_mm", "row_mm", "z_mm", "diameter_mm")  # of an annotation table
REMEDY = "take a table such as workflow/resources/lidc-nodules.tsv"
Lines = Mapping[str, Sequence[Mapping[str, str]]]


def nodules_of(scan: str, row: Mapping[str, str], table: Lines, cube: Volume) -> list[Nodule]:
    """The nodules of a scan: those of its row in the sheet (column nodules) and of the annotation table.

    row: nodules is x:y:z:diameter;..., LPS mm. table: lines of workflow/resources/lidc-nodules.tsv by scan; cube: any
    volume on the scan's cube, which in x and y is centred on the image, so that with the row's fov_mm and pixel_mm it
    says where the image begins (rows and columns of LIDC-IDRI run along the patient's y and x).
    Raises InputError for what is no number.
    """
    try:
        own = [[float(number) for number in one.split(":")] for one in (row.get("nodules") or "").split(";") if one]
        found = [Nodule((x, y, z), diameter) for x, y, z, diameter in own]
        return found + [_annotated(line, row, cube) for line in table.get(scan, ())]
    except (ValueError, KeyError) as error:
        raise InputError(f"scan {scan}: its nodules cannot be read ({error})") from None


def read_nodule_table(path: Path | None) -> Lines:
    """Lines of an annotation table by scan; without one none."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for line in read_table(path, REMEDY, "\t", COLUMNS) if path else ():
        found.setdefault(line["scan"], []).append(line)
    return found


def _annotated(line: Mapping[str, str], row: Mapping[str, str], cube: Volume) -> Nodule:
    to_first_mm = (float(row["fov_mm"]) - float(row["pixel_mm"])) / 2
    x = cube.centre_mm[0] - to_first_mm + float(line["column_mm"])
    y = cube.centre_mm[1] - to_first_mm + float(line["row_mm"])
    return Nodule((x, y, float(line["z_mm"])), float(line["diameter_mm"]))
