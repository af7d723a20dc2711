"""Write the phantom cohorts' sheets, with the ground truth that tests need.

python -m dx2ct.data.sources.phantom.table
"""

import csv
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from drr.files import replacing
from dx2ct.data.cohort.sheet import COLUMNS
from dx2ct.data.sources.phantom.anatomy import draw_anatomy
from dx2ct.data.sources.phantom.series import series_uid

RESOURCES = Path("workflow/resources")
PATH, RANKING_PATH = RESOURCES / "phantom.tsv", RESOURCES / "phantom-ranking.tsv"
SPLIT = ["train"] * 18 + ["val"] * 2 + ["test"] * 4 + ["train"] * 16  # of seeds 1, 2, 3 ...
RANKING = ["train"] * 200 + ["val"] * 8 + ["test"] * 20  # of the seeds behind those: no phantom is in both cohorts


def table(split: list[str], first: int = 1) -> str:
    """A sheet as text: positions are x:y:z in the scanner's LPS frame in mm, nodules have their diameter as well."""
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow([*COLUMNS, "seed", "nodules", "heart", "liver_dome"])
    for seed, part in enumerate(split, start=first):
        scan, anatomy = f"phantom-{seed:03d}", draw_anatomy(seed)
        shift = np.array(anatomy.shift_mm)
        nodules = ";".join(_join([*(nodule.centre + shift), nodule.diameter]) for nodule in anatomy.nodules)
        places = [_join(anatomy.heart + shift), _join(anatomy.liver_dome + shift)]
        writer.writerow([scan, scan, f"data/raw/{scan}.zip", series_uid(seed), part, seed, nodules, *places])
    return text.getvalue()


def _join(numbers: ArrayLike) -> str:
    return ":".join(f"{number:.1f}" for number in np.asarray(numbers))


def main() -> None:
    """Write the sheets into the repository whose root is the current folder."""
    for path, text in ((PATH, table(SPLIT)), (RANKING_PATH, table(RANKING, first=len(SPLIT) + 1))):
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
