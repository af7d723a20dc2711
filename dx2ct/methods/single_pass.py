"""Methods with one forward pass: from settings to training, validation and reconstruction.

A method's own file says what its examples, its network and its losses are. Inside all of them a CT is HU + 1024 over
2500, in [0, 1], as in their own papers, and an X-ray is what DX2CT sees: an image stretched to [0, 1].
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn, Tensor

from dx2ct.config import LearnedSettings, SamplingOptions
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.scans import stretched
from dx2ct.data.window import to_hu
from dx2ct.geometry import Views
from dx2ct.methods.base import Implementation
from dx2ct.methods.contract import checked_xrays, Planes, require_geometry, spec_of, Trained, Xrays
from dx2ct.methods.layers.example import Example, Volumes
from dx2ct.methods.layers.scan_validation import validate, validation_scans
from dx2ct.methods.learned import Learned, load_weights, train_learned
from dx2ct.training.batches import Batches, Examples, seeded
from dx2ct.training.distributed import exchanged, rank, together, world
from dx2ct.training.engine import Autocast, autocast_of, on_device
from dx2ct.training.loop import StepLosses
from dx2ct.training.runtime import Runtime

SLICES_AT_ONCE = 64  # of a validation

S = TypeVar("S", bound=LearnedSettings)
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Discriminator:
    """A GAN's discriminator: as it is, for the generator's loss, and as all processes train it."""

    plain: nn.Module
    shared: nn.Module


class SinglePass(Implementation[S], Generic[S, N]):
    """A learned method with one forward pass."""

    @abstractmethod
    def network(self, settings: S) -> N:
        """The network, its weights at random; InputError for views that do not fit."""

    @abstractmethod
    def examples(self, settings: S, scans: Sequence[str], data: Path, device: torch.device) -> Examples[Example]:
        """What it is trained on; device: where changed copies are made."""

    @abstractmethod
    def loss(self, settings: S, output: Tensor, example: Example, discriminator: nn.Module | None) -> Tensor:
        """Loss of the network's output, float32."""

    @abstractmethod
    def volumes(self, settings: S, network: N, xrays: Tensor, at_once: int) -> Volumes:
        """The volumes of one scan from its X-rays (1, view, H, W), on the network's device."""

    def start(self, settings: S, network: N, scans: Sequence[str], data: Path) -> None:
        """Put in what the weights begin with, where that is not random."""

    def discriminator(self, settings: S) -> nn.Module | None:
        """Of a GAN."""
        return None

    def discriminator_loss(self, discriminator: nn.Module, output: Tensor, example: Example) -> Tensor:
        """Of what the network made before its own step."""
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

    def train(self, settings: S, rows: Sequence[Row], data: Path, output: Path, runtime: Runtime) -> None:
        """See Implementation and `train_learned`."""
        train_learned(settings, self.build, rows, data, output, runtime)

    def load(self, settings: S, run: Path, runtime: Runtime) -> Trained:
        """The network with the run's weights."""
        network = self.network(settings)
        load_weights(network, run)
        return TrainedSinglePass(self, settings, network.to(runtime.device).eval(), runtime)

    def build(self, settings: S, scans: Mapping[str, Sequence[str]], data: Path, runtime: Runtime) -> Learned:
        """Data, networks and the losses of a step."""
        device = runtime.device
        examples = self.examples(settings, scans["train"], data, device)
        batches = Batches(examples, device, rank(), world(), runtime.engine.loaders)
        torch.manual_seed(settings.train.seed)
        model, plain = self.network(settings), self.discriminator(settings)
        if settings.train.start_from is None:
            self.start(settings, model, scans["train"], data)
        autocast = autocast_of(settings.train.precision, device)
        model, network = on_device(model, device, runtime.engine, settings.train.accumulate)
        gan = Discriminator(plain.to(device), together(plain.to(device), device)) if plain else None
        losses = partial(self._losses, settings, network, gan, batches, autocast)
        validation = None
        if settings.train.validation.every:
            chosen = validation_scans(settings, scans["validation"], data, self.xray_pixels(settings))
            volumes_of = partial(self._volumes_while_training, settings, model, autocast)
            validation = partial(validate, volumes_of, chosen, device)
        return Learned(model, losses, validation, plain, self.slices_of_example(settings))

    def _losses(
        self,
        settings: S,
        network: nn.Module,
        gan: Discriminator | None,
        batches: Batches[Example],
        cast: Autocast,
        step: int,
    ) -> StepLosses:
        made: list[tuple[Tensor, Example]] = []
        first = self._network_losses(settings, network, gan, batches, cast, step, made)
        return [first, self._discriminator_losses(gan, cast, made)] if gan else [first]

    def _network_losses(
        self,
        settings: S,
        network: nn.Module,
        gan: Discriminator | None,
        batches: Batches[Example],
        cast: Autocast,
        step: int,
        made: list[tuple[Tensor, Example]],
    ) -> Iterator[Tensor]:
        """The parts of the network's loss: of the whole batch it is their sum."""
        parts = settings.train.accumulate
        for part in range(parts):
            example = batches.get(step, part)
            seeded(settings.train.seed, step, part, rank())
            with exchanged(network, last=part == parts - 1):
                with cast():
                    output = network(*example.inputs)
                if gan:
                    gan.plain.requires_grad_(False)
                    made.append((output.detach(), example))
                with cast():
                    loss = self.loss(settings, output, example, gan.plain if gan else None)
                yield loss / parts

    def _discriminator_losses(
        self, gan: Discriminator, cast: Autocast, made: list[tuple[Tensor, Example]]
    ) -> Iterator[Tensor]:
        gan.plain.requires_grad_(True)
        for i, (output, example) in enumerate(made):
            with exchanged(gan.shared, last=i == len(made) - 1), cast():
                loss = self.discriminator_loss(gan.shared, output, example)
            yield loss / len(made)

    def _volumes_while_training(self, settings: S, network: N, cast: Autocast, xrays: Tensor) -> Volumes:
        with cast():
            return self.volumes(settings, network, xrays, SLICES_AT_ONCE)


class TrainedSinglePass(Trained):
    """A network in memory."""

    def __init__(self, method: SinglePass[Any, Any], settings: Any, network: nn.Module, runtime: Runtime) -> None:
        self.method, self.settings, self.network, self.runtime = method, settings, network, runtime
        self.inputs = spec_of(settings, method.xray_pixels(settings))

    @torch.inference_mode()
    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """One forward pass a volume or a plane; of the options only `batch` means something."""
        images = checked_xrays(xrays, self.inputs)
        require_geometry(geometry, self.inputs)
        seen = np.stack([stretched(image, self.inputs.pixels) for image in images])[None]
        tensor = torch.from_numpy(seen).to(self.runtime.device)
        volumes = self.method.volumes(self.settings, self.network, tensor, options.batch)
        return Planes(**{plane: to_hu(2 * one.float().cpu().numpy() - 1) for plane, one in volumes.items()})
