"""What all learned rivals share: from settings to training, validation and reconstruction (see dx2ct/methods.py).

A rival's own file says what its examples, its network and its losses are. Inside all of them a CT is HU + 1024 over
2500, in [0, 1], as in their own papers, and an X-ray is what DX2CT sees: a film stretched to [0, 1].
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.sheet import Row
from dx2ct.distributed import exchanged, rank, sum_over_ranks, together, world
from dx2ct.engine import Autocast, autocast_of, on_device
from dx2ct.learned import Learned, load_weights, train_learned
from dx2ct.methods import Sight
from dx2ct.settings import (
    EngineSettings,
    parse,
    PLAIN_ENGINE,
    ReconstructSettings,
    SlicesSettings,
    VolumeSettings,
    XraySettings,
)
from dx2ct.settings.methods import RivalTraining
from dx2ct.train import Turns
from dx2ct.training_data import Batches, Examples, seeded
from dx2ct.validation import SHOWN, Validation
from dx2ct.window import to_hu, to_network

Planes = dict[str, Tensor]  # {plane: (z, y, x)} in [0, 1]
SLICES_AT_ONCE = 64  # of a validation


@dataclass(frozen=True)
class Example:
    """Inputs of the network's forward pass, the first of them X-rays (n, view, H, W), and what it should say."""

    inputs: tuple[Tensor, ...]
    wanted: Tensor

    def to(self, device: torch.device) -> "Example":
        """The batch on another device."""
        return Example(tuple(x.to(device, non_blocking=True) for x in self.inputs), self.wanted.to(device))

    def pinned(self) -> "Example":
        """The batch in memory from which a GPU copies while it computes."""
        return Example(tuple(x.pin_memory() for x in self.inputs), self.wanted.pin_memory())


class RivalRun(Protocol):
    """The row of a rival."""

    @property
    def views(self) -> tuple[str, ...]:
        """The X-rays that it sees."""


class RivalSettings(Protocol):
    """Settings of any rival."""

    @property
    def run(self) -> RivalRun:
        """The row of `runs:`."""

    @property
    def volume(self) -> VolumeSettings:
        """The cube that the X-rays were made of."""

    @property
    def xray(self) -> XraySettings:
        """How they were made."""

    @property
    def slices(self) -> SlicesSettings:
        """The training grid."""

    @property
    def train(self) -> RivalTraining:
        """How it is trained."""


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
        """See dx2ct/methods.py and `train_learned`."""
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
        validate = None
        if settings.train.validation.every:
            watched = self._watched(settings, scans["watched"], data)
            validate = partial(self._validate, settings, model, autocast, watched, device)
        return Learned(model, turns, validate, duel.plain if duel else None, self.slices_of_example(settings))

    def sees(self, settings: str) -> Sight:
        """See dx2ct/methods.py."""
        parsed = parse(self.kind, settings)
        pixels = self.xray_pixels(parsed)
        return Sight(parsed.run.views, pixels, parsed.volume, parsed.xray, parsed.slices, samples=False)

    def reconstruct(
        self, settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
    ) -> dict[str, NDArray[np.float32]]:
        """See dx2ct/methods.py."""
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

    def _watched(self, settings: S, scans: Sequence[str], data: Path) -> list[tuple[Tensor, Tensor]]:
        """X-rays (1, view, H, W) and truth (z, y, x) in [0, 1] of this process's scans."""
        asked = settings.train.validation
        if not scans:
            raise InputError(
                f"train.validation.every is {asked.every}, but the cohort has no scan of split {asked.split}"
            )
        pixels, views = self.xray_pixels(settings), settings.run.views
        return [
            (
                torch.from_numpy(read_xrays(data, scan, views, pixels))[None],
                read_volume(data, scan, settings.slices.size),
            )
            for scan in scans[: asked.scans][rank() :: world()]
        ]

    @torch.no_grad()
    def _validate(
        self, settings: S, network: N, cast: Autocast, watched: Sequence[tuple[Tensor, Tensor]], device: torch.device
    ) -> Validation:
        """PSNR over the window of the mean of the planes, all voxels pooled; middle slices under their truth."""
        squares, voxels, pairs = 0.0, 0.0, []
        for xrays, truth in watched:
            with cast():
                planes = self.planes(settings, network, xrays.to(device), SLICES_AT_ONCE)
            said = torch.stack([volume.float().cpu().clamp(0, 1) for volume in planes.values()]).mean(dim=0)
            squares += float((said - truth).double().square().sum())
            voxels += truth.numel()
            middle = len(truth) // 2
            pairs += [torch.cat([a.select(axis, middle) for a in (truth, said)]).flip(0) for axis in range(3)]
        squares, voxels = sum_over_ranks([squares, voxels], device)
        picture = torch.cat(pairs[:SHOWN], dim=1).numpy() * 2 - 1 if pairs else np.zeros((2, 1), np.float32)
        return Validation(float(10 * np.log10(voxels / max(squares, 1e-30))), picture)


@dataclass(frozen=True)
class Duel:
    """A discriminator as it is, for the network's turn, and as all processes train it."""

    plain: nn.Module
    shared: nn.Module


def read_volume(data: Path, scan: str, size: int) -> Tensor:
    """A scan's truth, (z, y, x) in [0, 1]."""
    return torch.from_numpy(to_network(read_stack(data, scan, "axial", size)) / 2 + np.float32(0.5))


def one_volume(volume: Tensor) -> Planes:
    """The same volume for every plane."""
    return dict.fromkeys(PLANES, volume)
