"""RUN/agreement.json: how far X-rays of a run's reconstructions may differ from those that they were made of.

A network answers whatever it is shown. Of a patient like those of its training, X-rays rendered from its answer agree
with the X-rays that it saw; where they do not, the answer is doubtful. What is usual is learnt on examples that the
weights were not fitted to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
import torch

from drr.attenuation import named
from drr.errors import InputError
from drr.files import replacing
from drr.progress import each
from drr.projector import Projector
from dx2ct import layout
from dx2ct.config import LearnedSettings, parse, plain, SamplingOptions, to_json
from dx2ct.config.augment import NO_AUGMENT
from dx2ct.config.keys import Fraction, PositiveInt, STRICT
from dx2ct.data.cohort.sheet import Row
from dx2ct.geometry import Views
from dx2ct.methods.contract import Trained
from dx2ct.methods.layers.patients import Patient, Patients
from dx2ct.methods.saved import weights_digest

Array = NDArray[Any]
EXAMPLES = 60
DEVIATIONS = 3.0  # of the logarithm, above its mean: one in 700 of a normal distribution lies beyond


@dataclass(frozen=True, config=STRICT)
class Agreement:
    """By view: the share of an X-ray's variance that the answer leaves unexplained, usually and at the limit.

    examples: so many it was learnt on. weights_sha256: of the weights that it belongs to.
    """

    usual: dict[str, Fraction]
    limit: dict[str, Fraction]
    examples: PositiveInt
    weights_sha256: str

    def beyond(self, found: Mapping[str, float]) -> list[str]:
        """Views that agree less than the limit allows."""
        return [view for view, share in found.items() if view in self.limit and share > self.limit[view]]


def unexplained(hu: Array, views: Views, seen: Mapping[str, Array], attenuation: str) -> dict[str, float]:
    """The share of each image's variance that X-rays of a volume leave unexplained, whatever the image's scale.

    hu: (z, y, x) on the grid of `views`. seen: images (row, column) as a network sees them, of equal sizes, in the
    exposures of `views`. It is 1 - r^2, with Pearson's r over all pixels, 1 where an image is flat.
    """
    images = rendered(hu, views, seen, attenuation)
    return {view: _apart(image, seen[view]) for view, image in images.items()}


def rendered(hu: Array, views: Views, seen: Mapping[str, Array], attenuation: str) -> dict[str, Array]:
    """X-rays of a volume, line integrals (row, column), of the views and the size of the images `seen`."""
    pixels = next(iter(seen.values())).shape
    exposures = [views.exposures[view] for view in seen]
    projector = Projector(views.grid.volume(), exposures, pixels=(pixels[0], pixels[1]), threads=1)
    images = projector.render(np.rint(hu).astype(np.int16), named(attenuation))
    return dict(zip(seen, images, strict=True))


def _apart(one: Array, other: Array) -> float:
    if not (one.std() and other.std()):
        return 1.0
    return float(np.clip(1 - np.corrcoef(one.ravel(), other.ravel())[0, 1] ** 2, 0, 1))


def learn(found: Sequence[Mapping[str, float]], weights_sha256: str = "") -> Agreement:
    """What is usual of several answers' shares by view. InputError for less than two."""
    if len(found) < 2:
        raise InputError("the agreement of X-rays is not known: it takes two examples at least")
    usual, limit = {}, {}
    for view in found[0]:
        logs = np.log([max(one[view], 1e-6) for one in found])
        usual[view] = float(np.exp(logs.mean()))
        limit[view] = float(min(np.exp(logs.mean() + DEVIATIONS * logs.std(ddof=1)), 1))
    return Agreement(usual, limit, len(found), weights_sha256)


def learn_agreement(
    run: Path, trained: Trained, settings: LearnedSettings, rows: Sequence[Row], data: Path
) -> Agreement:
    """Of a trained method: validation scans as they are and, where the training made examples, new ones of its kind."""
    found = []
    for patient in each(list(_examples(settings, rows, data, trained.inputs.pixels)), "agreement", "example"):
        views = Views(trained.inputs.views.grid, patient.exposures)
        seen = dict(zip(trained.inputs.names, patient.xrays.numpy(), strict=True))
        hu = trained.reconstruct(seen, views, SamplingOptions(steps=1)).mean
        found.append(unexplained(hu, views, seen, settings.xray.attenuation))
    return learn(found, weights_digest(run))


def _examples(settings: LearnedSettings, rows: Sequence[Row], data: Path, pixels: int) -> Iterator[Patient]:
    cpu = torch.device("cpu")
    validation, training = ([row.scan for row in rows if row.split == split] for split in ("val", "train"))
    if validation:
        plain_settings = replace(settings, train=replace(settings.train, augment=NO_AUGMENT))
        scans = Patients(plain_settings, pixels, validation, data, cpu)
        yield from (scans.get(0, 0, number) for number in range(len(scans)))
    if settings.train.augment.changes:
        another = replace(settings, train=replace(settings.train, seed=settings.train.seed + 1))
        made = Patients(another, pixels, training, data, cpu)
        yield from (made.get(step, 0, step % len(made)) for step in range(EXAMPLES))


def write_agreement(agreement: Agreement, output: Path) -> None:
    """As JSON."""
    with replacing(output) as part:
        part.write_text(to_json(plain(agreement)) + "\n")


def kept_agreement(run: Path) -> Agreement | None:
    """That of a run's folder where it belongs to its weights, else None; InputError for a damaged file."""
    path = layout.agreement(run)
    if not path.is_file():
        return None
    try:
        found = parse(Agreement, path.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{path}: {error}: delete it, or learn it again") from None
    return found if found.weights_sha256 == weights_digest(run) else None


def moved_agreement(run: Path, published: Path) -> None:
    """Put a run's agreement beside its published weights, which are rounded: it belongs to them then."""
    if (found := kept_agreement(run)) is not None:
        write_agreement(replace(found, weights_sha256=weights_digest(published)), layout.agreement(published))
