"""CycleGAN (Zhu et al., ICCV 2017) for X-rays of one channel: generators, discriminators and their history.

Left open by the paper, and taken here: instance norm without weights of its own, zero padding in the discriminators.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn, Tensor

from dx2ct.config.style import StyleModel, StyleTrain

DEVIATION = 0.02  # of the Gaussian that weights begin with
SLOPE = 0.2  # of the leaky ReLU
EDGE = 0.98  # what a residual generator takes black and white for: atanh has no value for 1


class Block(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same."""
        changed: Tensor = x + self.body(x)
        return changed


class Generator(nn.Module):
    """Images (n, 1, N, N) in [-1, 1] to images of the same size: two halvings, residual blocks, two doublings."""

    def __init__(self, model: StyleModel) -> None:
        super().__init__()
        c, self.residual = model.channels, model.residual
        self.body = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(1, c, 7), nn.InstanceNorm2d(c), nn.ReLU(),
            *_half(c), *_half(2 * c),
            *(Block(4 * c) for _ in range(model.blocks)),
            *_double(4 * c, model.upsampling), *_double(2 * c, model.upsampling),
            nn.ReflectionPad2d(3), nn.Conv2d(c, 1, 7),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """The images translated; where it is residual, the layers say what is added before the last tanh."""
        made = self.body(images)
        return torch.tanh(made + torch.atanh(images.clamp(-EDGE, EDGE)) if self.residual else made)


def _half(channels: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, 2 * channels, 3, 2, 1), nn.InstanceNorm2d(2 * channels), nn.ReLU()


def _double(channels: int, upsampling: str) -> tuple[nn.Module, ...]:
    fewer = channels // 2
    up: tuple[nn.Module, ...] = (nn.ConvTranspose2d(channels, fewer, 3, 2, 1, output_padding=1),)
    if upsampling == "nearest":
        up = nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(channels, fewer, 3)
    return *up, nn.InstanceNorm2d(fewer), nn.ReLU()


class Discriminator(nn.Sequential):
    """PatchGAN: images (n, 1, N, N) to one judgement of each patch, (n, 1, h, w): 1 real, 0 made."""

    def __init__(self, model: StyleModel) -> None:
        layers: list[nn.Module] = []
        channels, last = 1, model.discriminator_layers
        for number in range(last + 1):
            wider = model.discriminator_channels * min(2**number, 8)
            layers.append(nn.Conv2d(channels, wider, 4, 2 if number < last else 1, 1))
            layers += [nn.InstanceNorm2d(wider)] if number else []
            layers.append(nn.LeakyReLU(SLOPE))
            channels = wider
        super().__init__(*layers, nn.Conv2d(channels, 1, 4, 1, 1))


class Generators(nn.Module):
    """Both directions, which are what a run keeps."""

    def __init__(self, model: StyleModel) -> None:
        super().__init__()
        self.to_film, self.to_synthetic = Generator(model), Generator(model)


class History(nn.Module):
    """The last translated images (Shrivastava et al. 2017): a part of the state, so that a resumed training has it."""

    images: Tensor
    filled: Tensor

    def __init__(self, count: int, pixels: int) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(count, 1, pixels, pixels))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def swapped(self, fresh: Tensor, chance: np.random.Generator) -> Tensor:
        """What the discriminator is shown for (n, 1, N, N): each image or, every other time, one from before."""
        shown = []
        for image in fresh:
            filled, swap, number = int(self.filled), chance.random() < 0.5, chance.random()
            if filled < len(self.images):
                self.images[filled] = image
                self.filled += 1
            elif swap and filled:
                at = int(number * filled)
                image, self.images[at] = self.images[at].clone(), image
            shown.append(image)
        return torch.stack(shown)


class Discriminators(nn.Module):
    """One for films, one for rendered X-rays, and what each is shown again."""

    def __init__(self, model: StyleModel, train: StyleTrain, pixels: int) -> None:
        super().__init__()
        self.film, self.synthetic = Discriminator(model), Discriminator(model)
        self.films, self.synthetics = (History(train.history, pixels) for _ in range(2))


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose weights are drawn by the seed alone, as the paper draws them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build()
        for layer in _convolutions(network):
            nn.init.normal_(layer.weight, 0.0, DEVIATION)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return network


def _convolutions(network: nn.Module) -> Iterator[nn.Conv2d | nn.ConvTranspose2d]:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            yield layer
