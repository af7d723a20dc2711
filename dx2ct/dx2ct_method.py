"""DX2CT as a method: train it on a cohort, reconstruct one scan with it."""

from collections.abc import Iterator, Sequence
from functools import partial
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
import torch
from torch import nn, Tensor

from drr.errors import InputError
from drr.files import replacing
from dx2ct import diffusion
from dx2ct.data.sheet import Row
from dx2ct.distributed import exchanged, rank, world
from dx2ct.engine import Autocast, autocast_of, on_device
from dx2ct.methods import SETTINGS, WEIGHTS
from dx2ct.models.dx2ct import DX2CT
from dx2ct.resume import sweep
from dx2ct.samplers.reconstruction import sample
from dx2ct.settings import dump, Dx2ctSettings, EngineSettings, parse, PLAIN_ENGINE, ReconstructSettings
from dx2ct.train import fit, Training
from dx2ct.training_data import Batches, fingerprint, seeded, TrainingData
from dx2ct.validation import Validation, ValidationSet


def train(
    settings: str,
    rows: Sequence[Row],
    data: Path,
    output: Path,
    device: torch.device,
    engine: EngineSettings = PLAIN_ENGINE,
) -> None:
    """Train with MSE on the prediction target (the paper's eq. 6 when that is epsilon); resumes from its last state.

    The last state stays until the run is used (see reconstruct.py): until the workflow has noted that the training is
    done, a kill would have it done again. Under torchrun every process calls this, and rank 0 writes.
    """
    parsed = parse(Dx2ctSettings, settings)
    validation = parsed.train.validation
    if not validation.every and (validation.patience or validation.keep == "best"):
        raise InputError("train.validation: patience and keep: best need validations: set every to more than 0")
    scans = {split: [row.scan for row in rows if row.split == split] for split in ("train", "val")}
    examples = TrainingData(parsed, scans["train"], data)
    batches = Batches(examples, device, rank(), world())
    torch.manual_seed(parsed.train.seed)
    model = DX2CT(parsed)
    if parsed.model.encoder.pretrained:
        model.conditions.encoder.load_imagenet()
    autocast = autocast_of(parsed.train.precision, device)
    model, network = on_device(model, device, engine)
    watched = scans[validation.split] if validation.every else []
    identity = {"settings": json.loads(dump(parsed)), "data": fingerprint(scans["train"] + watched, data)}
    training = Training(model, parsed.train, json.dumps(identity, sort_keys=True))
    if rank() == 0:
        sweep(output)
    training.load(output)
    schedule = diffusion.linear_schedule(parsed.diffusion).to(device)
    losses = partial(_losses, network, batches, autocast, schedule, parsed)
    validate = None
    if validation.every:
        validate = partial(_validate, ValidationSet(parsed, watched, data, device), model, autocast)
    fit(training, losses, output, device, validate, engine.tensorboard)
    if rank() == 0:
        _write(training.best if validation.keep == "best" else training.average, parsed, output)


def _losses(
    network: nn.Module,
    batches: Batches,
    autocast: Autocast,
    schedule: diffusion.Schedule,
    parsed: Dx2ctSettings,
    step: int,
) -> Iterator[Tensor]:
    """The parts of a step's loss: of the whole batch it is their sum. Gradients are exchanged with the last one."""
    parts = parsed.train.accumulate
    for part in range(parts):
        batch = batches.get(step, part)
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


def _write(weights: dict[str, Tensor], parsed: Dx2ctSettings, output: Path) -> None:
    with replacing(output / WEIGHTS) as part:
        save_file({name: value.cpu().contiguous() for name, value in weights.items()}, part)
    with replacing(output / SETTINGS) as part:
        part.write_text(dump(parsed))


def load(settings: str, run: Path, device: torch.device) -> tuple[DX2CT, Dx2ctSettings]:
    """A trained network, ready to reconstruct."""
    parsed = parse(Dx2ctSettings, settings)
    model = DX2CT(parsed)
    try:
        model.load_state_dict(load_file(run / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{run / WEIGHTS}: not the weights of these settings ({str(error).splitlines()[0]})") from None
    return model.to(device).eval(), parsed


def reconstruct(
    settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
) -> dict[str, NDArray[np.float32]]:
    """Every slice of every plane, from one noise image that all slices share or from one noise volume."""
    model, parsed = load(settings, run, device)
    return sample(model, parsed, how, scan, data, device)
