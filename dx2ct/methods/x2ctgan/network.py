"""X2CT-GAN: Ying et al., CVPR 2019. Without its discriminator it is X2CT-CNN.

Every view has a 2D dense encoder and a 3D decoder; a third decoder fuses two views. At every level the views' features
are turned into the patient and averaged. The average goes to the third decoder and, as `published`, back into the
views' own (half of each: how is left open). Also left open, and taken here: a halving keeps its channels; every 3D
convolution is followed by instance norm and ReLU; all levels but the coarsest (bridge A) have a skip (bridge B).
Instance norm keeps no running statistics: it takes those of the image in training and in reconstruction, which is what
the published test does. The views' orders of axes follow from drr/geometry.py.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import nn, Tensor
from torch.nn.functional import relu

from dx2ct.methods.layers.volumes import IntoPatient
from dx2ct.methods.x2ctgan.settings import X2ctganModel


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1 bottleneck, norm, ReLU, 3x3; its input stays beside its output (Huang et al. 2017)."""

    def __init__(self, inputs: int, growth: int, bottleneck: int) -> None:
        super().__init__()
        inner = growth * bottleneck
        self.body = nn.Sequential(
            nn.InstanceNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, inner, 1, bias=False),
            nn.InstanceNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, growth, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c + growth, h, w)."""
        return torch.cat([x, self.body(x)], dim=1)


class Encoder(nn.Module):
    """X-ray (n, 1, N, N) to maps of N, N/2, ... pixels; `widths` are their channels."""

    def __init__(self, model: X2ctganModel) -> None:
        super().__init__()
        channels = model.channels
        self.stem = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(1, channels, 7), nn.InstanceNorm2d(channels), nn.ReLU()
        )
        self.stages, self.widths = nn.ModuleList(), [channels]
        for i, layers in enumerate(model.dense_layers):
            wide = channels + layers * model.growth
            last = i + 1 == len(model.dense_layers)
            kept = wide if last else wide // 2
            transition = (nn.InstanceNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, kept, 1))
            self.stages.append(
                nn.Sequential(
                    nn.InstanceNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, stride=2, padding=1),
                    *(DenseLayer(channels + j * model.growth, model.growth, model.bottleneck) for j in range(layers)),
                    *(() if last and model.published else transition),
                )
            )  # fmt: skip
            channels = kept
            self.widths.append(channels)

    def forward(self, xrays: Tensor) -> list[Tensor]:
        """Maps from fine to coarse."""
        maps = [self.stem(xrays)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class Convolution(nn.Conv3d):
    """In 3D, with the channels of its input last on a CPU: a step of the small preset takes 0.7 times as long."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, z, y, x)."""
        return super().forward(x.contiguous(memory_format=torch.channels_last_3d) if x.device.type == "cpu" else x)


def conv3d(inputs: int, outputs: int) -> nn.Sequential:
    """3x3x3 convolution, norm, ReLU."""
    return nn.Sequential(Convolution(inputs, outputs, 3, padding=1), nn.InstanceNorm3d(outputs), nn.ReLU())


class Decoder(nn.Module):
    """From the coarsest volume up, joining what each level is given."""

    def __init__(self, channels: Sequence[int], blocks: Sequence[int], published: bool) -> None:
        super().__init__()
        self.bottom = nn.Sequential(*(conv3d(channels[-1], channels[-1]) for _ in range(blocks[-1])))
        self.grow, self.join = nn.ModuleList(), nn.ModuleList()
        for (fine, coarse), count in zip(pairwise(channels), blocks[:-1], strict=True):
            larger = (
                nn.ConvTranspose3d(coarse, fine, 3, stride=2, padding=1, output_padding=1)
                if published
                else nn.ConvTranspose3d(coarse, fine, 4, stride=2, padding=1)
            )
            self.grow.append(nn.Sequential(larger, nn.InstanceNorm3d(fine), nn.ReLU()))
            self.join.append(nn.Sequential(conv3d(2 * fine, fine), *(conv3d(fine, fine) for _ in range(count))))

    def up(self, level: int, coarser: Tensor, given: Tensor) -> Tensor:
        """The features (n, c, d, h, w) of a level from those of the next coarser one and what the level is given."""
        grown = self.grow[level](coarser)
        found: Tensor = self.join[level](torch.cat([grown, given], dim=1))
        return found


class Branch(nn.Module):
    """One view: encoder, bridges, decoder."""

    def __init__(self, model: X2ctganModel, size: int) -> None:
        super().__init__()
        self.encoder = Encoder(model)
        self.side = size // 2 ** len(model.dense_layers)
        widths, channels = self.encoder.widths, model.decoder_channels
        self.bridge_a = nn.Sequential(
            nn.Linear(widths[-1], channels[-1] * self.side**3), nn.Dropout(model.dropout), nn.ReLU()
        )
        self.thin = nn.ModuleList(_thin(a, b, model.published) for a, b in zip(widths, channels[:-1], strict=False))
        self.thick = nn.ModuleList(conv3d(c, c) for c in channels[:-1])
        self.decoder = Decoder(channels, model.decoder_blocks, model.published)

    def bridges(self, xrays: Tensor) -> list[Tensor]:
        """X-ray (n, 1, N, N) to what each level is given, fine to coarse, (n, c, depth, row, column)."""
        maps = self.encoder(xrays)
        bottom = self.bridge_a(maps[-1].mean(dim=(2, 3))).unflatten(1, (-1, self.side, self.side, self.side))
        skips = [
            thick(thin(flat)[:, :, None].expand(-1, -1, flat.shape[-1], -1, -1))
            for thin, thick, flat in zip(self.thin, self.thick, maps, strict=False)
        ]
        return [*skips, bottom]


def _thin(inputs: int, outputs: int, published: bool) -> nn.Module:
    """Bridge B's first convolution."""
    convolution = nn.Conv2d(inputs, outputs, 1)
    return nn.Sequential(convolution, nn.InstanceNorm2d(outputs), nn.ReLU()) if published else convolution


class Generator(nn.Module):
    """X-rays (n, view, N, N) to volume (n, 1, z, y, x) of N cubed, not negative."""

    def __init__(self, model: X2ctganModel, views: Sequence[IntoPatient], size: int) -> None:
        super().__init__()
        self.views, self.feedback = views, model.published
        self.branches = nn.ModuleList(Branch(model, size) for _ in views)
        self.fusion = Decoder(model.decoder_channels, model.fusion_blocks, model.published) if len(views) > 1 else None
        self.last = Convolution(model.decoder_channels[0], 1, 7, padding=3)
        self.apply(start_normal)
        nn.init.constant_(self.last.bias, 0.2)  # type: ignore[arg-type] # behind a ReLU, or it may start dead

    def forward(self, xrays: Tensor) -> Tensor:
        """The volume."""
        branches = [cast(Branch, branch) for branch in self.branches]
        given = [branch.bridges(xrays[:, i, None]) for i, branch in enumerate(branches)]
        seen = [branch.decoder.bottom(bridges[-1]) for branch, bridges in zip(branches, given, strict=True)]
        fused = None if self.fusion is None else self.fusion.bottom(self._mean(seen))
        for level in reversed(range(len(given[0]) - 1)):
            if fused is not None and self.feedback:
                mean = self._mean(seen)
                seen = [(one + view.back(mean)) / 2 for one, view in zip(seen, self.views, strict=True)]
            seen = [
                branch.decoder.up(level, one, bridges[level])
                for branch, one, bridges in zip(branches, seen, given, strict=True)
            ]
            if self.fusion is not None and fused is not None:
                fused = self.fusion.up(level, fused, self._mean(seen))
        return relu(self.last(self.views[0](seen[0]) if fused is None else fused))

    def _mean(self, seen: Sequence[Tensor]) -> Tensor:
        """The views' features, turned into the patient and averaged."""
        turned = [into_patient(features) for into_patient, features in zip(self.views, seen, strict=True)]
        return torch.stack(turned).mean(dim=0)


class Discriminator(nn.Module):
    """PatchGAN in 3D on a volume and the X-rays spread along their depth, (n, 1 + view, z, y, x) to (n, 1, a, b, c)."""

    def __init__(self, model: X2ctganModel, views: Sequence[IntoPatient]) -> None:
        super().__init__()
        self.views = views
        width = model.discriminator_channels
        layers: list[nn.Module] = [Convolution(1 + len(views), width, 4, 2, 1), nn.LeakyReLU(0.2)]
        widths = [width * min(2**i, 8) for i in range(model.discriminator_layers + 1)]
        for i, (a, b) in enumerate(pairwise(widths), start=1):
            stride = 1 if i == model.discriminator_layers else 2
            layers += [Convolution(a, b, 4, stride, 1), nn.InstanceNorm3d(b), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, Convolution(widths[-1], 1, 4, 1, 1))
        self.apply(start_normal)

    def forward(self, volumes: Tensor, xrays: Tensor) -> Tensor:
        """How real every patch looks: 1 for real."""
        depth = volumes.shape[-1]
        spread = [
            into_patient(xrays[:, i, None, None].expand(-1, -1, depth, -1, -1))
            for i, into_patient in enumerate(self.views)
        ]
        patches: Tensor = self.body(torch.cat([volumes, *spread], dim=1))
        return patches


def start_normal(layer: nn.Module) -> None:
    """Weights from a normal distribution of width 0.02, biases 0."""
    if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d | nn.Linear):
        nn.init.normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
