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
from dx2ct.data.sources.phantom.anatomy import Anatomy, draw_anatomy, draw_varied
from dx2ct.data.sources.phantom.series import series_uid

RESOURCES = Path("workflow/resources")
PATH, RANKING_PATH = RESOURCES / "phantom.tsv", RESOURCES / "phantom-ranking.tsv"
SPLIT = ["train"] * 18 + ["val"] * 2 + ["test"] * 4 + ["train"] * 16  # of seeds 1, 2, 3 ...
TRUTH = ("nodules", "heart", "liver_dome")
RANKING = ["train"] * 200 + ["val"] * 8 + ["test"] * 20  # of the seeds behind those: no phantom is in both cohorts

VARIED_PATH = RESOURCES / "phantom-varied.tsv"
VARIED = ["train"] * 400 + ["val"] * 8 + ["test"] * 20


def table(split: list[str], first: int = 1) -> str:
    """A sheet as text: positions are x:y:z in the scanner's LPS frame in mm, nodules have their diameter as well."""
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow([*COLUMNS, "seed", *TRUTH])
    for seed, part in enumerate(split, start=first):
        scan, anatomy = f"phantom-{seed:03d}", draw_anatomy(seed)
        writer.writerow([scan, scan, f"data/raw/{scan}.zip", series_uid(seed), part, seed, *_truth(anatomy)])
    return text.getvalue()


def varied_table(split: list[str], first: int = 1) -> str:
    """A sheet of varied phantoms: as `table`, with the column `recipe`."""
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow([*COLUMNS, "seed", "recipe", *TRUTH])
    for seed, part in enumerate(split, start=first):
        scan, uid, truth = f"varied-{seed:03d}", series_uid(seed, "varied"), _truth(draw_varied(seed))
        writer.writerow([scan, scan, f"data/raw/{scan}.zip", uid, part, seed, "varied", *truth])
    return text.getvalue()


def _truth(anatomy: Anatomy) -> list[str]:
    places = [_join(anatomy.in_scanner(place)) for place in (anatomy.heart, anatomy.liver_dome)]
    return [";".join(_join([*anatomy.in_scanner(n.centre), n.diameter]) for n in anatomy.nodules), *places]


def _join(numbers: ArrayLike) -> str:
    return ":".join(f"{number:.1f}" for number in np.asarray(numbers))


def main() -> None:
    """Write the sheets into the repository whose root is the current folder."""
    plain = ((PATH, table(SPLIT)), (RANKING_PATH, table(RANKING, first=len(SPLIT) + 1)))
    for path, text in (*plain, (VARIED_PATH, varied_table(VARIED))):
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
