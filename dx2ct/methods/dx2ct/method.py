"""DX2CT as a method: train it on a cohort, reconstruct one scan with it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from dx2ct.config import Dx2ctSettings, EngineSettings, parse, PLAIN_ENGINE, ReconstructSettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.methods.base import Sight
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.sampling import sample
from dx2ct.samplers import diffusion
from dx2ct.training.batches import Batch, Batches, seeded, TrainingData
from dx2ct.training.distributed import exchanged, rank, world
from dx2ct.training.engine import Autocast, autocast_of, on_device
from dx2ct.training.learned import Learned, load_weights, train_learned
from dx2ct.training.validation import Validation, ValidationSet


def train(
    settings: str,
    rows: Sequence[Row],
    data: Path,
    output: Path,
    device: torch.device,
    engine: EngineSettings = PLAIN_ENGINE,
) -> None:
    """Train with MSE on the prediction target (the paper's eq. 6 when that is epsilon); see `train_learned`."""
    train_learned(parse(Dx2ctSettings, settings), build, rows, data, output, device, engine)


def build(
    parsed: Dx2ctSettings,
    scans: Mapping[str, Sequence[str]],
    data: Path,
    device: torch.device,
    engine: EngineSettings,
) -> Learned:
    """Data, network and losses."""
    examples = TrainingData(parsed, scans["train"], data)
    batches = Batches(examples, device, rank(), world())
    torch.manual_seed(parsed.train.seed)
    model = DX2CT(parsed)
    if parsed.model.encoder.pretrained:
        model.conditions.encoder.load_pretrained(parsed.model.encoder.pretrained)
    autocast = autocast_of(parsed.train.precision, device)
    model, network = on_device(model, device, engine)
    schedule = diffusion.linear_schedule(parsed.diffusion).to(device)
    validate = None
    if parsed.train.validation.every:
        watched = ValidationSet(parsed, scans["watched"], data, device)
        validate = partial(_validate, watched, model, autocast)
    return Learned(model, lambda step: [_losses(network, batches, autocast, schedule, parsed, step)], validate)


def _losses(
    network: nn.Module,
    batches: Batches[Batch],
    autocast: Autocast,
    schedule: diffusion.Schedule,
    parsed: Dx2ctSettings,
    step: int,
) -> Iterator[Tensor]:
    """The parts of a step's loss: of the whole batch it is their sum. Gradients are exchanged with the last one."""
    parts = parsed.train.accumulate
    for part in range(parts):
        batch = batches.get(step, part)
        # From here on a recorded graph may write over what it returned before.
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        seeded(parsed.train.seed, step, part, rank())
        with exchanged(network, last=part == parts - 1):
            noisy = diffusion.add_noise(schedule, batch.slices, batch.noise, batch.t)
            wanted = diffusion.target(schedule, parsed.run.prediction, batch.slices, batch.noise, batch.t)
            with autocast():
                said = network(batch.xrays, batch.coordinates, noisy, batch.t)
            yield torch.nn.functional.mse_loss(said.float(), wanted) / parts


def _validate(watched: ValidationSet, model: DX2CT, autocast: Autocast) -> Validation:
    with autocast():
        return watched.validate(model)


def load(settings: str, run: Path, device: torch.device) -> tuple[DX2CT, Dx2ctSettings]:
    """A trained network, ready to reconstruct."""
    parsed = parse(Dx2ctSettings, settings)
    model = DX2CT(parsed)
    load_weights(model, run)
    return model.to(device).eval(), parsed


def sees(settings: str) -> Sight:
    """See dx2ct/methods/base.py."""
    parsed = parse(Dx2ctSettings, settings)
    return Sight(parsed.run.views, parsed.model.xray_pixels, parsed.volume, parsed.xray, parsed.slices, samples=True)


def reconstruct(
    settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
) -> dict[str, NDArray[np.float32]]:
    """Every slice of every plane, from one noise image that all slices share or from one noise volume."""
    model, parsed = load(settings, run, device)
    return sample(model, parsed, how, scan, data, device)
