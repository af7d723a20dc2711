"""Methods that are trained step by step, and how: they differ in what they hand to `train_learned`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from textwrap import shorten
from typing import TypeVar

from safetensors.torch import load_file, save
import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import LearnedSettings, plain
from dx2ct.data.cohort.sheet import Row
from dx2ct.methods.base import training_scans
from dx2ct.methods.saved import read_weights, weights_digest, write_run
from dx2ct.methods.start import require_start, start_folder
from dx2ct.training.batches import fingerprint
from dx2ct.training.distributed import rank
from dx2ct.training.loop import fit, StepLosses
from dx2ct.training.resume import sweep
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training
from dx2ct.training.validation import Validation


@dataclass(frozen=True)
class Learned:
    """A method, built for training.

    model: on its device; its state is what the run's weights are. losses: the loss terms of a step, which must depend
    on the step and the weights alone. validate: with the weights as they are, None for never. discriminator: of a GAN.
    slices: how many slices an example of the batch is worth.
    """

    model: nn.Module
    losses: Callable[[int], StepLosses]
    validate: Callable[[], Validation] | None
    discriminator: nn.Module | None = None
    slices: int = 1


S = TypeVar("S", bound=LearnedSettings)
Build = Callable[[S, Mapping[str, Sequence[str]], Path, Runtime], Learned]


def train_learned(
    settings: S, build: Build[S], rows: Sequence[Row], data: Path, output: Path, runtime: Runtime
) -> None:
    """Train what `build(settings, {"train": scans, "validation": scans}, data, runtime)` makes, from its last state.

    The last state stays until the run is used (dx2ct/predict/scan.py): until the workflow has noted that the training
    is done, a kill would have it done again. Under torchrun every process calls this, and rank 0 writes.
    Raises InputError for weights to start from that are not this network's.
    """
    scans = {"train": training_scans(rows), "validation": _validation_scans(settings, rows)}
    start = start_folder(settings, output, runtime.start)
    if start:
        require_start(settings, start)
    learned = build(settings, scans, data, runtime)
    files = fingerprint(scans["train"] + scans["validation"], data, volumes=settings.train.augment.changes)
    identity = {"settings": plain(settings), "data": files}
    if start:
        load_start(learned.model, start)
        identity["start"] = weights_digest(start)
    training = Training(
        learned.model,
        settings.train,
        json.dumps(identity, sort_keys=True),
        discriminator=learned.discriminator,
        slices=learned.slices,
    )
    if rank() == 0:
        sweep(output)
    training.load(output)
    fit(training, learned.losses, output, runtime.device, learned.validate, runtime.engine)
    if rank() == 0:
        keeps_best = settings.train.validation.keep == "best" and settings.train.steps
        weights = training.best if keeps_best else training.average
        if start and settings.train.start_share:
            weights = mixed(read_weights(start, load_file), weights, settings.train.start_share)
        write_run(save({name: value.cpu().contiguous() for name, value in weights.items()}), settings, output)


def _validation_scans(settings: LearnedSettings, rows: Sequence[Row]) -> list[str]:
    asked = settings.train.validation
    if not asked.every:
        return []
    scans = [row.scan for row in rows if row.split == asked.split]
    if not scans:
        raise InputError(f"train.validation.every is {asked.every}, but the cohort has no scan of split {asked.split}")
    return scans


def load_start(model: nn.Module, folder: Path) -> None:
    """Put the weights of another run in, the state that is no weight included; InputError, naming the first misfit.

    A mean volume that a network keeps (lift) is that of the source's scans: its weights have learnt what to add to
    that volume, and to another one it would be wrong from the first step. The training can add the difference.
    """
    found, state = read_weights(folder, load_file), model.state_dict()
    for name in sorted(found.keys() | state.keys()):
        theirs, mine = (tuple(some[name].shape) if name in some else "missing" for some in (found, state))
        if theirs != mine:
            raise InputError(f"{layout.weights(folder)}: {name} is {theirs}, in this network {mine}: not its weights")
    model.load_state_dict(found)


def mixed(start: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights by name, `share` of them `start`, the rest `trained`; an integer, such as a count, is as trained.

    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022: one training leads from the first to the second.
    """
    return {
        name: torch.lerp(value, start[name].to(value), share) if value.is_floating_point() else value
        for name, value in trained.items()
    }


def load_weights(model: nn.Module, run: Path) -> None:
    """Put a run's weights into its network; InputError where they are not its."""
    weights = read_weights(run, load_file)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        what = shorten(str(error).partition("\n\t")[2], 100, placeholder=" ...")
        raise InputError(f"{layout.weights(run)}: not the weights of these settings ({what}): train it again") from None
