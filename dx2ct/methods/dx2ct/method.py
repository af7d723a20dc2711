"""DX2CT as a method: how it is trained, and a trained one."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn, Tensor

from dx2ct.data.cohort.sheet import Row
from dx2ct.methods.base import Implementation
from dx2ct.methods.dx2ct.batches import Batch, TrainingData
from dx2ct.methods.dx2ct.conditions import Conditions
from dx2ct.methods.dx2ct.network import DX2CT, schedule_of
from dx2ct.methods.dx2ct.sampling import TrainedDx2ct
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.dx2ct.validation import ValidationSet
from dx2ct.methods.learned import Learned, load_weights, train_learned
from dx2ct.samplers import diffusion
from dx2ct.training.batches import Batches, seeded
from dx2ct.training.distributed import exchanged, rank, world
from dx2ct.training.engine import Autocast, autocast_of, on_device
from dx2ct.training.loop import StepLosses
from dx2ct.training.runtime import Runtime
from dx2ct.training.validation import Validation


class Dx2ct(Implementation[Dx2ctSettings]):
    """Trained with MSE on the prediction target (the paper's eq. 6 when that is epsilon)."""

    def train(self, settings: Dx2ctSettings, rows: Sequence[Row], data: Path, output: Path, runtime: Runtime) -> None:
        """See Implementation and `train_learned`."""
        train_learned(settings, self.build, rows, data, output, runtime)

    def load(self, settings: Dx2ctSettings, run: Path, runtime: Runtime) -> TrainedDx2ct:
        """The network with the run's weights."""
        model = DX2CT(settings)
        load_weights(model, run)
        return TrainedDx2ct(model, settings, runtime)

    def build(
        self, settings: Dx2ctSettings, scans: Mapping[str, Sequence[str]], data: Path, runtime: Runtime
    ) -> Learned:
        """Data, network and losses."""
        device = runtime.device
        examples = TrainingData(settings, scans["train"], data, device)
        batches = Batches(examples, device, rank(), world(), runtime.engine.loaders)
        torch.manual_seed(settings.train.seed)
        model = DX2CT(settings)
        begins = settings.train.start_from is None
        if begins and isinstance(model.conditions, Conditions) and settings.model.encoder.pretrained:
            model.conditions.encoder.load_pretrained(settings.model.encoder.pretrained)
        autocast = autocast_of(settings.train.precision, device)
        model, network = on_device(model, device, runtime.engine, settings.train.accumulate)
        validate = None
        if settings.train.validation.every:
            validation_set = ValidationSet(settings, scans["validation"], data, device)
            validate = partial(_validate, validation_set, model, autocast)
        schedule = schedule_of(settings).to(device)
        return Learned(model, partial(_losses, network, batches, autocast, schedule, settings), validate)


def _losses(
    network: nn.Module,
    batches: Batches[Batch],
    autocast: Autocast,
    schedule: diffusion.Schedule,
    settings: Dx2ctSettings,
    step: int,
) -> StepLosses:
    return [_terms(network, batches, autocast, schedule, settings, step)]


def _terms(
    network: nn.Module,
    batches: Batches[Batch],
    autocast: Autocast,
    schedule: diffusion.Schedule,
    settings: Dx2ctSettings,
    step: int,
) -> Iterator[Tensor]:
    """The parts of a step's loss: of the whole batch it is their sum. Gradients are exchanged with the last one."""
    parts = settings.train.accumulate
    for part in range(parts):
        batch = batches.get(step, part)
        seeded(settings.train.seed, step, part, rank())
        with exchanged(network, last=part == parts - 1):
            noisy = diffusion.add_noise(schedule, batch.slices, batch.noise, batch.t)
            target = diffusion.target(schedule, settings.run.prediction, batch.slices, batch.noise, batch.t)
            with autocast():
                prediction = network(batch.xrays, batch.coordinates, noisy, batch.t, *batch.matrices)
            yield torch.nn.functional.mse_loss(prediction.float(), target) / parts


def _validate(validation_set: ValidationSet, model: DX2CT, autocast: Autocast) -> Validation:
    with autocast():
        return validation_set.validate(model)


IMPLEMENTATION = Dx2ct()
