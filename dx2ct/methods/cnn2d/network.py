"""2DCNN: Henzler et al., Single-image Tomography, 2018, as X2CT-GAN's authors (CVPR 2019) rebuilt it for chest X-rays.

A 2D encoder-decoder whose output channels are the depth of the volume. One view. Left open by the descriptions, and
taken here: a residual block is two 3x3 convolutions, each followed by batch norm, and a 1x1 convolution on the skip
where the width changes (He et al. 2016); the width behind the first halving stays that of the last full-resolution
block, so that the skips can be added; a grouped transposed convolution has as many groups as channels, as bilinear
upsampling has; the last layer is linear.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn, Tensor
from torch.nn.functional import max_pool2d, mse_loss, relu

from dx2ct.methods.cnn2d.settings import Cnn2dModel, Cnn2dSettings
from dx2ct.methods.layers.example import Example, one_volume, Volumes
from dx2ct.methods.layers.volumes import IntoPatient, VolumeData
from dx2ct.methods.single_pass import SinglePass


class ResidualBlock(nn.Module):
    """Two convolutions and a skip."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        return relu(self.body(x) + self.skip(x))


class Cnn2d(nn.Module):
    """X-ray (n, 1, 2 N, 2 N) to volume (n, 1, z, y, x) of N cubed."""

    def __init__(self, model: Cnn2dModel, into_patient: IntoPatient, size: int) -> None:
        super().__init__()
        self.into_patient = into_patient
        widths, width = [model.stem, *model.first], model.first[-1]
        self.stem = nn.Sequential(
            nn.Conv2d(1, model.stem, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(model.stem), nn.ReLU()
        )
        self.first = nn.Sequential(*(ResidualBlock(a, b) for a, b in pairwise(widths)))
        self.down = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, width) for _ in range(count))) for count in model.blocks
        )
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, groups=width, bias=False) for _ in model.blocks
        )
        self.up = nn.ModuleList(ResidualBlock(width, width) for _ in model.blocks)
        self.depth = nn.Conv2d(width, size, 1)

    def forward(self, xrays: Tensor) -> Tensor:
        """The volume, not clipped."""
        x = self.first(self.stem(xrays))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(max_pool2d(x, 2))
        for grow, up in zip(self.grow, self.up, strict=True):
            x = up(grow(x) + skips.pop())
        return self.into_patient(self.depth(x)[:, None])


class Cnn2dMethod(SinglePass[Cnn2dSettings, Cnn2d]):
    """Mean squared error on [0, 1]."""

    def network(self, settings: Cnn2dSettings) -> Cnn2d:
        """The network of the row's view."""
        (view,) = settings.run.views
        exposure = settings.xray.exposures([view])[view]
        return Cnn2d(settings.model, IntoPatient(view, exposure), settings.slices.size)

    def xray_pixels(self, settings: Cnn2dSettings) -> int:
        """Twice the volume's side, as in the paper."""
        return 2 * settings.slices.size

    def examples(self, settings: Cnn2dSettings, scans: Sequence[str], data: Path, device: torch.device) -> VolumeData:
        """Whole scans."""
        return VolumeData(settings, self.xray_pixels(settings), scans, data, device)

    def slices_of_example(self, settings: Cnn2dSettings) -> int:
        """A volume of N cubed has the voxels of N slices."""
        return settings.slices.size

    def loss(
        self, settings: Cnn2dSettings, output: Tensor, example: Example, discriminator: nn.Module | None
    ) -> Tensor:
        """Mean squared error."""
        return mse_loss(output.float(), example.target)

    def volumes(self, settings: Cnn2dSettings, network: Cnn2d, xrays: Tensor, at_once: int) -> Volumes:
        """One volume."""
        return one_volume(network(xrays)[0, 0])


IMPLEMENTATION = Cnn2dMethod()
