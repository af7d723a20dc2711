"""python -m dx2ct.data.phantom_table: write the phantom cohort's sheet, with the ground truth that tests need."""

import csv
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from drr.files import replacing
from dx2ct.data.anatomy import draw_anatomy
from dx2ct.data.phantom import series_uid
from dx2ct.data.sheet import COLUMNS

PATH = Path("workflow/resources/phantom.tsv")
SPLIT = ["train"] * 18 + ["val"] * 2 + ["test"] * 4 + ["train"] * 16  # of seeds 1, 2, 3 ...


def table() -> str:
    """The sheet as text: positions are x:y:z in the scanner's LPS frame in mm, nodules have their diameter as well."""
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow([*COLUMNS, "seed", "nodules", "heart", "liver_dome"])
    for seed, split in enumerate(SPLIT, start=1):
        scan, anatomy = f"phantom-{seed:03d}", draw_anatomy(seed)
        shift = np.array(anatomy.shift_mm)
        nodules = ";".join(_join([*(nodule.centre + shift), nodule.diameter]) for nodule in anatomy.nodules)
        places = [_join(anatomy.heart + shift), _join(anatomy.liver_dome + shift)]
        writer.writerow([scan, scan, f"data/raw/{scan}.zip", series_uid(seed), split, seed, nodules, *places])
    return text.getvalue()


def _join(numbers: ArrayLike) -> str:
    return ":".join(f"{number:.1f}" for number in np.asarray(numbers))


def main() -> None:
    """Write the sheet into the repository whose root is the current folder."""
    with replacing(PATH) as part:
        part.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
