"""Stage `style-gap`: what a view's style does to the gap between rendered X-rays and films, in both directions."""

from collections.abc import Sequence
from itertools import product
import json
from pathlib import Path

import numpy as np

from drr.errors import InputError
from drr.files import replacing
from drr.progress import each
from dx2ct.style.examples import read_films, Synthetic
from dx2ct.style.gap import CLASSIFIERS, gap
from dx2ct.style.run import Style

SEEDS = (0, 1, 2)  # of the classifier and its folds
LEAST = 10


def write_gap(style: Style, scans: Sequence[str], data: Path, copies: int, output: Path) -> dict[str, float]:
    """Write JSON, and give, of each pair of kinds, the accuracy of each classifier: the mean over seeds.

    scans: not trained on; copies: so many changed copies of each stand beside it, which no training has seen. Films:
    all, and those held out alone. Raises InputError for fewer than LEAST X-rays or films.
    """
    settings = style.settings
    films = read_films(data, settings.view, settings.pixels)
    source = Synthetic(settings, scans, data)
    first = settings.train.copies + 1
    numbers = [0, *range(first, first + copies)]
    rendered = [source.get(scan, number) for scan in range(len(scans)) for number in numbers]
    rows = films.parts["train"] + films.parts["held_out"]
    real = [films.get(row) for row in rows]
    if min(len(rendered), len(real)) < LEAST:
        raise InputError(
            f"{style.folder}: {len(rendered)} X-rays and {len(real)} films are too few to tell apart, {LEAST} of each "
            "at least: give more scans, or --copies"
        )
    held_out = list(range(len(films.parts["train"]), len(rows)))
    found: dict[str, float] = {"xrays": len(rendered), "films": len(real), "held_out_films": len(held_out)}
    styled = [style.to_film(image) for image in rendered]
    translated = [style.to_synthetic(image) for image in real]
    pairs = {
        "rendered X-rays and films": (rendered, real),
        "X-rays in the style of films and films": (styled, real),
        "rendered X-rays and films in their style": (rendered, translated),
    }
    for (pair, (one, other)), name in each([*product(pairs.items(), CLASSIFIERS)], "domain gap", "classifier"):
        gaps = [gap(one, other, CLASSIFIERS[name], seed, held_out) for seed in SEEDS]
        found[f"{pair}, by {name}"] = float(np.mean([one_gap.accuracy for one_gap in gaps]))
        if held_out:
            found[f"{pair}, by {name}, films held out"] = float(np.mean([one_gap.of_second for one_gap in gaps]))
    with replacing(output) as part:
        part.write_text(json.dumps(found, indent=2) + "\n")
    return found
