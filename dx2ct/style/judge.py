"""Stage `style-gap`: what a view's style does to the gap between rendered X-rays and films, in both directions."""

from collections.abc import Sequence
import json
from pathlib import Path

import numpy as np

from drr.errors import InputError
from drr.files import replacing
from dx2ct.style.examples import Image, read_films, Synthetic
from dx2ct.style.gap import gap
from dx2ct.style.run import Style

SEEDS = (0, 1, 2)  # of the classifier and its folds
LEAST = 10


def write_gap(style: Style, scans: Sequence[str], data: Path, copies: int, output: Path) -> dict[str, float]:
    """Write JSON, and give, of each pair of kinds, the classifier's accuracy: the mean over seeds.

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
    held_out = range(len(films.parts["train"]), len(rows))
    found: dict[str, float] = {"xrays": len(rendered), "films": len(real), "held_out_films": len(held_out)}
    found |= _accuracies("rendered X-rays and films", rendered, real, held_out)
    styled = [style.to_film(image) for image in rendered]
    found |= _accuracies("X-rays in the style of films and films", styled, real, held_out)
    translated = [style.to_synthetic(image) for image in real]
    found |= _accuracies("rendered X-rays and films in their style", rendered, translated, held_out)
    with replacing(output) as part:
        part.write_text(json.dumps(found, indent=2) + "\n")
    return found


def _accuracies(
    name: str, first: Sequence[Image], second: Sequence[Image], held_out: Sequence[int]
) -> dict[str, float]:
    """By name: over all, and of the films held out."""
    gaps = [gap(first, second, seed, list(held_out)) for seed in SEEDS]
    found = {name: float(np.mean([one.accuracy for one in gaps]))}
    alone = [one.of_second for one in gaps if one.of_second is not None]
    return found | ({f"{name}, films held out": float(np.mean(alone))} if alone else {})
