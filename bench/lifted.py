"""Tables of what each part of lift, and of DX2CT with lifted conditions, is worth: workflow/config/lifted.yaml.

    python -m bench.lifted RANKING

RANKING is the folder in which it ran, finished or not; the trainings of the ranking may lie there, too. Writes
bench/lifted_scores.csv (one row a training and scan) and prints Markdown.
"""

import argparse
from pathlib import Path

from bench.ranking import BENCH, collected, compared, merged, table
from dx2ct import layout
from dx2ct.benchmark.rows import DIGITS

CONFIG = BENCH.parent / "workflow/config/lifted.yaml"
SCORES, NODULES = BENCH / "lifted_scores.csv", BENCH / "lifted_nodules.csv"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ranking", type=Path)
    options = parser.parse_args()
    found = collected(options.ranking / layout.RESULTS, CONFIG)
    scores, nodules = (merged(*pair) for pair in zip(found, (SCORES, NODULES), strict=True))
    scores.to_csv(SCORES, index=False, float_format=DIGITS)
    nodules.to_csv(NODULES, index=False, float_format="%.4g")
    print("\n".join(table(scores, nodules)), "\n")
    others = [run for run in scores["run"].drop_duplicates() if run not in ("lift", "lifted", "mean")]
    pairs = [("lift" if run.startswith("lift_") else "lifted", run) for run in others]
    print("\n".join(compared(scores, pairs)))
