"""Examples of a training as its network sees them, changed copies among them: the page of train.augment."""

from collections.abc import Sequence
from pathlib import Path

import torch

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import LearnedSettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.figures.examples import Example, examples_figure
from dx2ct.methods.base import training_scans
from dx2ct.methods.layers.patients import Patients

COUNT = 12
DPI = 110


def write_examples(settings: LearnedSettings, rows: Sequence[Row], data: Path, output: Path) -> None:
    """A PNG of the first examples of the first steps, X-rays with as many pixels as the grid has voxels.

    Raises InputError for scans that are not prepared, and for a method that is not trained by steps.
    """
    if not isinstance(settings, LearnedSettings):
        raise InputError(f"{settings.run.method} is not trained by steps: it has no examples")
    scans = training_scans(rows)
    patients = Patients(settings, settings.slices.size, scans, data, torch.device("cpu"))
    shown = []
    for step in range(COUNT):
        number = step % len(scans)
        patient = patients.get(step, 0, number)
        xrays = dict(zip(settings.run.views, patient.xrays.numpy(), strict=True))
        shown.append(Example(scans[number], xrays, patient.stacks))
    augment = settings.train.augment
    title = f"what the training sees: {augment.share:.0%} of the examples are changed copies"
    title += f", {augment.film.share:.0%} have films for X-rays" if augment.film.share else ""
    figure = examples_figure(shown, title)
    with replacing(output) as part:
        figure.savefig(part, dpi=DPI, format="png", metadata={})
