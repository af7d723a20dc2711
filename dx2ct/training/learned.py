"""Methods that are trained step by step, and how: DX2CT and its rivals differ in what they hand to `train_learned`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Protocol, TypeVar

from safetensors.torch import load_file, save
import torch
from torch import nn

from drr.errors import InputError
from dx2ct.config import dump, EngineSettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.methods.base import training_scans, WEIGHTS, write_run
from dx2ct.training.batches import fingerprint
from dx2ct.training.distributed import rank
from dx2ct.training.loop import fit, Turns
from dx2ct.training.plan import Plan
from dx2ct.training.resume import sweep
from dx2ct.training.state import Training
from dx2ct.training.validation import Validation


@dataclass(frozen=True)
class Learned:
    """A method, built for training.

    model: on its device; its state is what the run's weights are. turns: the losses of a step, which must depend on the
    step and the weights alone. validate: with the weights as they are, None for never. opponent: the network of the
    second turn. slices: how many slices an example of the batch is worth.
    """

    model: nn.Module
    turns: Callable[[int], Turns]
    validate: Callable[[], Validation] | None
    opponent: nn.Module | None = None
    slices: int = 1


class LearnedSettings(Protocol):
    """The settings of any learned method."""

    @property
    def train(self) -> Plan: ...  # noqa: D102


S = TypeVar("S", bound=LearnedSettings)
Build = Callable[[S, Mapping[str, Sequence[str]], Path, torch.device, EngineSettings], Learned]


def train_learned(
    parsed: S,
    build: Build[S],
    rows: Sequence[Row],
    data: Path,
    output: Path,
    device: torch.device,
    engine: EngineSettings,
) -> None:
    """Train what `build(parsed, {"train": scans, "watched": scans}, data, device, engine)` makes, from its last state.

    The last state stays until the run is used (see reconstruct.py): until the workflow has noted that the training is
    done, a kill would have it done again. Under torchrun every process calls this, and rank 0 writes.
    """
    validation = parsed.train.validation
    if not validation.every and (validation.patience or validation.keep == "best"):
        raise InputError("train.validation: patience and keep: best need validations: set every to more than 0")
    scans = {
        "train": training_scans(rows),
        "watched": [row.scan for row in rows if validation.every and row.split == validation.split],
    }
    learned = build(parsed, scans, data, device, engine)
    identity = {"settings": json.loads(dump(parsed)), "data": fingerprint(scans["train"] + scans["watched"], data)}
    training = Training(
        learned.model,
        parsed.train,
        json.dumps(identity, sort_keys=True),
        opponent=learned.opponent,
        slices=learned.slices,
    )
    if rank() == 0:
        sweep(output)
    training.load(output)
    fit(training, learned.turns, output, device, learned.validate, engine.tensorboard)
    if rank() == 0:
        weights = training.best if validation.keep == "best" else training.average
        write_run(save({name: value.cpu().contiguous() for name, value in weights.items()}), parsed, output)


def load_weights(model: nn.Module, run: Path) -> None:
    """Put a run's weights into its network; InputError where they are not its."""
    try:
        model.load_state_dict(load_file(run / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{run / WEIGHTS}: not the weights of these settings ({str(error).splitlines()[0]})") from None
