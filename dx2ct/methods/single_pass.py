"""What all learned rivals share: from settings to training, validation and reconstruction (see dx2ct/methods/base.py).

A rival's own file says what its examples, its network and its losses are. Inside all of them a CT is HU + 1024 over
2500, in [0, 1], as in their own papers, and an X-ray is what DX2CT sees: a film stretched to [0, 1].
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from dx2ct.config import (
    EngineSettings,
    parse,
    PLAIN_ENGINE,
    ReconstructSettings,
)
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.scans import read_xrays
from dx2ct.data.window import to_hu
from dx2ct.methods.base import Sight
from dx2ct.methods.layers.example import Example, Planes
from dx2ct.methods.layers.watch import validate, watched_scans
from dx2ct.methods.single_pass_settings import RivalSettings
from dx2ct.training.batches import Batches, Examples, seeded
from dx2ct.training.distributed import exchanged, rank, together, world
from dx2ct.training.engine import Autocast, autocast_of, on_device
from dx2ct.training.learned import Learned, load_weights, train_learned
from dx2ct.training.loop import Turns

SLICES_AT_ONCE = 64  # of a validation


S = TypeVar("S", bound=RivalSettings)
N = TypeVar("N", bound=nn.Module)


class Rival(ABC, Generic[S, N]):
    """A learned method with one forward pass."""

    kind: type[S]

    @abstractmethod
    def network(self, settings: S) -> N:
        """The network, its weights at random; InputError for sizes that do not fit."""

    @abstractmethod
    def examples(self, settings: S, scans: Sequence[str], data: Path) -> Examples[Example]:
        """What it is trained on."""

    @abstractmethod
    def loss(self, settings: S, said: Tensor, example: Example, opponent: nn.Module | None) -> Tensor:
        """Loss of what the network said, float32."""

    @abstractmethod
    def planes(self, settings: S, network: N, xrays: Tensor, at_once: int) -> Planes:
        """The volumes of one scan from its X-rays (1, view, H, W), on the network's device."""

    def start(self, settings: S, network: N) -> None:
        """Put in what the weights begin with, where that is not random."""

    def opponent(self, settings: S) -> nn.Module | None:
        """A discriminator, for methods that have one."""
        return None

    def opposing_loss(self, opponent: nn.Module, said: Tensor, example: Example) -> Tensor:
        """The discriminator's loss of what the network said before its own step."""
        raise NotImplementedError

    def passes(self, settings: S) -> tuple[int, tuple[Tensor, ...]]:
        """How many forward passes make a reconstruction, and empty inputs of one."""
        pixels = self.xray_pixels(settings)
        return 1, (torch.empty(1, len(settings.run.views), pixels, pixels),)

    def slices_of_example(self, settings: S) -> int:
        """How many slices one example of the batch is worth."""
        return 1

    def xray_pixels(self, settings: S) -> int:
        """Side of the X-ray that the network sees."""
        return settings.slices.size

    def train(
        self,
        settings: str,
        rows: Sequence[Row],
        data: Path,
        output: Path,
        device: torch.device,
        engine: EngineSettings = PLAIN_ENGINE,
    ) -> None:
        """See dx2ct/methods/base.py and `train_learned`."""
        train_learned(parse(self.kind, settings), self.build, rows, data, output, device, engine)

    def build(
        self,
        settings: S,
        scans: Mapping[str, Sequence[str]],
        data: Path,
        device: torch.device,
        engine: EngineSettings,
    ) -> Learned:
        """Data, networks and the turns of a step."""
        examples = self.examples(settings, scans["train"], data)
        batches = Batches(examples, device, rank(), world())
        torch.manual_seed(settings.train.seed)
        model, opponent = self.network(settings), self.opponent(settings)
        self.start(settings, model)
        autocast = autocast_of(settings.train.precision, device)
        model, network = on_device(model, device, engine)
        duel = Duel(opponent.to(device), together(opponent.to(device), device)) if opponent else None
        turns = partial(self._turns, settings, network, duel, batches, autocast)
        validation = None
        if settings.train.validation.every:
            watched = watched_scans(settings, scans["watched"], data, self.xray_pixels(settings))
            validation = partial(
                validate, partial(self._planes_while_training, settings, model, autocast), watched, device
            )
        return Learned(model, turns, validation, duel.plain if duel else None, self.slices_of_example(settings))

    def sees(self, settings: str) -> Sight:
        """See dx2ct/methods/base.py."""
        parsed = parse(self.kind, settings)
        pixels = self.xray_pixels(parsed)
        return Sight(parsed.run.views, pixels, parsed.volume, parsed.xray, parsed.slices, samples=False)

    def reconstruct(
        self, settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
    ) -> dict[str, NDArray[np.float32]]:
        """See dx2ct/methods/base.py."""
        parsed = parse(self.kind, settings)
        network = self.network(parsed)
        load_weights(network, run)
        xrays = read_xrays(data, scan, parsed.run.views, self.xray_pixels(parsed))
        with torch.inference_mode():
            planes = self.planes(parsed, network.to(device).eval(), torch.from_numpy(xrays)[None].to(device), how.batch)
        return {plane: to_hu(2 * volume.float().cpu().numpy() - 1) for plane, volume in planes.items()}

    def _turns(
        self, settings: S, network: nn.Module, duel: "Duel | None", batches: Batches[Example], cast: Autocast, step: int
    ) -> Turns:
        said: list[tuple[Tensor, Example]] = []
        first = self._losses(settings, network, duel, batches, cast, step, said)
        return [first, self._opposing_losses(settings, duel, cast, said)] if duel else [first]

    def _losses(
        self,
        settings: S,
        network: nn.Module,
        duel: "Duel | None",
        batches: Batches[Example],
        cast: Autocast,
        step: int,
        kept: list[tuple[Tensor, Example]],
    ) -> Iterator[Tensor]:
        """The parts of the network's loss: of the whole batch it is their sum."""
        parts = settings.train.accumulate
        for part in range(parts):
            example = batches.get(step, part)
            seeded(settings.train.seed, step, part, rank())
            with exchanged(network, last=part == parts - 1):
                with cast():
                    said = network(*example.inputs)
                if duel:
                    duel.plain.requires_grad_(False)
                    kept.append((said.detach(), example))
                with cast():
                    loss = self.loss(settings, said, example, duel.plain if duel else None)
                yield loss / parts

    def _opposing_losses(
        self, settings: S, duel: "Duel", cast: Autocast, kept: list[tuple[Tensor, Example]]
    ) -> Iterator[Tensor]:
        duel.plain.requires_grad_(True)
        for i, (said, example) in enumerate(kept):
            with exchanged(duel.shared, last=i == len(kept) - 1), cast():
                loss = self.opposing_loss(duel.shared, said, example)
            yield loss / len(kept)

    def _planes_while_training(self, settings: S, network: N, cast: Autocast, xrays: Tensor) -> Planes:
        with cast():
            return self.planes(settings, network, xrays, SLICES_AT_ONCE)


@dataclass(frozen=True)
class Duel:
    """A discriminator as it is, for the network's turn, and as all processes train it."""

    plain: nn.Module
    shared: nn.Module
