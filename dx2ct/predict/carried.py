"""A film carried into the beam that a network knows, by the network's own answer.

A network misplaces what lies before and behind the middle of the patient in a film of a beam that it has not learnt,
even where it is told the exposure. X-rays of its answer tell how two beams differ: the film, plus what X-rays of the
answer have more in the training's beam than in the film's, is closer to what the training's beam would have shown.
Where the answer is right it is just that. docs/films.md has what it is worth.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.attenuation import named
from drr.geometry import View
from drr.progress import each, show
from drr.projector import Projector
from dx2ct.config import RunSettings
from dx2ct.geometry import Views
from dx2ct.scoring.agreement import unexplained

PASSES, SAMPLED_PASSES = 4, 2  # of one forward pass each; of a sampling each
_NEAR = 0.02  # of the distance, that makes no difference
_RAYS = 2  # a side of a pixel
Images = Mapping[str, NDArray[np.float32]]


def is_unlearnt(exposures: Mapping[str, View], training: Mapping[str, View], settings: RunSettings) -> bool:
    """True where a source is nearer or farther than any in the training."""
    learnt = _learnt(settings)
    return any(
        abs(distance_mm(view) / distance_mm(training[name]) - 1) > max(learnt, _NEAR)
        for name, view in exposures.items()
    )


def in_words(exposures: Mapping[str, View], training: Mapping[str, View], settings: RunSettings, passes: int) -> str:
    """What is done with films of a beam that was not learnt."""
    name = max(exposures, key=lambda one: abs(distance_mm(exposures[one]) - distance_mm(training[one])))
    learnt = f"{distance_mm(training[name]):.0f} mm" + (f" (+- {_learnt(settings):.0%})" if _learnt(settings) else "")
    done = f"carried into the training's beam in up to {passes} passes by X-rays of the answer itself"
    left = "what lies before and behind is misplaced (--passes)"
    return (
        f"the source was {distance_mm(exposures[name]):.0f} mm from the middle of the patient, the model has learnt "
        f"{learnt} alone: {done if passes else left}"
    )


def in_training_beam(
    answer: Callable[[Mapping[str, Any], Views], NDArray[Any]],
    given: tuple[Mapping[str, Any], Views],
    films: Images,
    beams: tuple[Views, Views],
    attenuation: str,
    passes: int,
) -> tuple[Mapping[str, Any], Views]:
    """What to give the network: X-rays carried into the training's beam, while its answers agree better with the films.

    answer: HU of images and where they were taken. given: both as they are. beams: of the films, and of the training.
    """
    own, training = beams
    (images, where), kept, least = given, given, np.inf
    for _ in each(range(passes + 1), "passes", "pass"):
        hu = answer(images, where)
        show(lambda hu=hu: hu)  # type: ignore[misc]
        apart = float(np.mean(list(unexplained(hu, own, films, attenuation).values())))
        if apart >= least:
            break
        kept, least = (images, where), apart
        images, where = carried(films, hu, own, training, attenuation), training
    return kept


def carried(films: Images, hu: NDArray[Any], beams: Views, training: Views, attenuation: str) -> dict[str, Any]:
    """Films as the training's beam would have shown them, were `hu`, (z, y, x) on the grid, the patient.

    films: {view: (row, column)} of one size, in the exposures of `beams`, in any unit: each is brought to the line
    integrals of its X-ray by a straight line, least squares.
    """
    model, (pixels, _) = named(attenuation), next(iter(films.values())).shape
    there, here = (
        Projector(training.grid.volume(), [views.exposures[name] for name in films], pixels, _RAYS, threads=1).render(
            np.rint(hu).astype(np.int16), model
        )
        for views in (training, beams)
    )
    found = {}
    for (name, film), wanted, xray in zip(films.items(), there, here, strict=True):
        slope, offset = np.polyfit(film.ravel(), xray.ravel(), 1)
        found[name] = np.maximum(slope * film + offset + wanted - xray, 0).astype(np.float32)
    return found


def distance_mm(view: View) -> float:
    """From source to isocentre, the origin."""
    return float(np.linalg.norm(view.source_mm))


def _learnt(settings: RunSettings) -> float:
    """By what share of it the distance of the source was changed in the training."""
    if not getattr(settings, "takes_geometry", False):
        return 0.0
    augment = settings.train.augment  # type: ignore[attr-defined]
    return float(augment.exposure.distance) if augment.copies else 0.0
