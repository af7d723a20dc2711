"""The denoising 2-D U-Net, conditioned by maps in encoder and decoder (the paper's eq. 5).

The block is guided-diffusion's (Dhariwal and Nichol 2021: time as scale and shift); where a condition map of the
level's resolution exists, its norms are SPADE (Park et al. 2019, as used by Wang et al. 2022), or, in the ablation, the
map is concatenated to the block's input.
"""

from collections.abc import Sequence
import math
from typing import Literal

import torch
from torch import nn, Tensor
from torch.nn.functional import interpolate, relu, scaled_dot_product_attention, silu

from dx2ct.methods.dx2ct.settings import UNetSettings

Conditioning = Literal["spade", "concat"]
Modulation = list[tuple[Tensor, ...]]
"""What joins the noisy slice, then the modulation per ResBlock in the order of use, independent of noise and t: SPADE's
two (scale, shift), each (n, 2 channels, h, w); the map for concat; or nothing."""


class Spade(nn.Module):
    """Group norm whose scale and shift are maps computed from the condition."""

    def __init__(self, channels: int, condition: int, settings: UNetSettings) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(settings.norm_groups, channels, affine=False)
        kernel, hidden = settings.spade_kernel, settings.spade_hidden
        self.shared = nn.Conv2d(condition, hidden, kernel, padding=kernel // 2) if hidden else None
        self.scale_shift = nn.Conv2d(hidden or condition, 2 * channels, kernel, padding=kernel // 2)

    def scale_and_shift(self, condition: Tensor) -> Tensor:
        """(n, 2 channels, h, w) of a condition (n, c, h, w)."""
        maps: Tensor = self.scale_shift(condition if self.shared is None else relu(self.shared(condition)))
        return maps

    def forward(self, x: Tensor, scale_shift: Tensor) -> Tensor:
        """x (n, channels, h, w), normed and modulated."""
        scale, shift = scale_shift.chunk(2, dim=1)
        modulated: Tensor = self.norm(x) * (1 + scale) + shift
        return modulated


class ResBlock(nn.Module):
    """Two convolutions, norms before them; `condition` is the channels of the level's map, 0 where there is none."""

    def __init__(self, inputs: int, outputs: int, condition: int, kind: Conditioning, settings: UNetSettings) -> None:
        super().__init__()
        self.spade = bool(condition) and kind == "spade"
        self.concat = bool(condition) and kind == "concat"
        inputs += condition if self.concat else 0
        self.norm1, self.norm2 = (
            Spade(channels, condition, settings) if self.spade else nn.GroupNorm(settings.norm_groups, channels)
            for channels in (inputs, outputs)
        )
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = _zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.time = nn.Linear(4 * settings.channels, 2 * outputs)
        self.dropout = nn.Dropout(settings.dropout)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def modulation(self, condition: Tensor | None) -> tuple[Tensor, ...]:
        """See Modulation; condition (n, c, h, w), None where the level has none."""
        if condition is None:
            return ()
        norms = [norm for norm in (self.norm1, self.norm2) if isinstance(norm, Spade)]
        return tuple(norm.scale_and_shift(condition) for norm in norms) or (condition,)

    def forward(self, x: Tensor, time: Tensor, modulation: tuple[Tensor, ...]) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        if self.concat:
            x = torch.cat([x, *modulation], dim=1)
        first, second = ((one,) for one in modulation) if self.spade else ((), ())
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(silu(self.norm1(x, *first)))
        h = self.norm2(h, *second) * (1 + scale) + shift
        result: Tensor = self.skip(x) + self.conv2(self.dropout(silu(h)))
        return result


class SelfAttention(nn.Module):
    """Self-attention over the pixels of a level."""

    def __init__(self, channels: int, settings: UNetSettings) -> None:
        super().__init__()
        self.heads = max(channels // settings.head_channels, 1)
        self.norm = nn.GroupNorm(settings.norm_groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w), residual."""
        qkv = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1)).transpose(-1, -2)
        attended = scaled_dot_product_attention(qkv[:, 0], qkv[:, 1], qkv[:, 2])
        result: Tensor = x + self.out(attended.transpose(-1, -2).reshape(x.shape))
        return result


class Stage(nn.Module):
    """A ResBlock with, on the levels that have it, self-attention behind it."""

    def __init__(self, block: ResBlock, attention: SelfAttention | None) -> None:
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, x: Tensor, time: Tensor, modulation: tuple[Tensor, ...]) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        x = self.block(x, time, modulation)
        return self.attention(x) if self.attention is not None else x


class UNet(nn.Module):
    """Noisy slice, time step and condition maps to a prediction of the slice's shape.

    condition_scales: {level: channels} for the levels that have a condition map; level 0 is the full resolution, whose
    map joins the noisy slice.
    """

    def __init__(self, settings: UNetSettings, condition_scales: dict[int, int], kind: Conditioning) -> None:
        super().__init__()
        widths = [settings.channels * m for m in settings.multipliers]
        self.channels, self.levels, self.blocks = settings.channels, len(widths), settings.res_blocks
        self.time = nn.Sequential(
            nn.Linear(settings.channels, 4 * settings.channels), nn.SiLU(),
            nn.Linear(4 * settings.channels, 4 * settings.channels), nn.SiLU(),
        )  # fmt: skip

        def stage(level: int, inputs: int) -> Stage:
            condition = condition_scales.get(level, 0) if level else 0
            block = ResBlock(inputs, widths[level], condition, kind, settings)
            return Stage(block, SelfAttention(widths[level], settings) if level in settings.attention_levels else None)

        self.first = nn.Conv2d(1 + condition_scales.get(0, 0), widths[0], 3, padding=1)
        self.down, self.shrink, self.up, self.grow = (nn.ModuleList() for _ in range(4))
        channels, skips = widths[0], [widths[0]]
        for level, width in enumerate(widths):
            for _ in range(self.blocks):
                self.down.append(stage(level, channels))
                channels = width
                skips.append(width)
            if level + 1 < self.levels:
                self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)
        self.middle = nn.ModuleList(stage(self.levels - 1, channels) for _ in range(2))
        for level in reversed(range(self.levels)):
            for _ in range(self.blocks + 1):
                self.up.append(stage(level, channels + skips.pop()))
                channels = widths[level]
            if level:
                self.grow.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.last = nn.Sequential(
            nn.GroupNorm(settings.norm_groups, channels), nn.SiLU(), _zeroed(nn.Conv2d(channels, 1, 3, padding=1))
        )

    def modulation(self, conditions: dict[int, Tensor]) -> Modulation:
        """Of condition maps {level: (n, c, N/2^level, N/2^level)}: compute it once for all steps of a sampler."""
        bottom = self.levels - 1
        levels = [
            *(i // self.blocks for i in range(len(self.down))),
            *(bottom for _ in self.middle),
            *(bottom - i // (self.blocks + 1) for i in range(len(self.up))),
        ]
        stages = [*self.down, *self.middle, *self.up]
        joined = (conditions[0],) if 0 in conditions else ()
        of_blocks = [
            stage.block.modulation(conditions.get(level) if level else None)
            for stage, level in zip(stages, levels, strict=True)
        ]
        return [joined, *of_blocks]

    def forward(self, x: Tensor, t: Tensor, modulation: Modulation) -> Tensor:
        """x (n, 1, N, N), t (n,) integer steps to (n, 1, N, N)."""
        time = self.time(time_code(t, self.channels))
        following = iter(modulation)
        x = self.first(torch.cat([x, *next(following)], dim=1))
        skips = [x]
        for level in range(self.levels):
            for stage in self.down[level * self.blocks : (level + 1) * self.blocks]:
                x = stage(x, time, next(following))
                skips.append(x)
            if level + 1 < self.levels:
                x = self.shrink[level](x)
                skips.append(x)
        for stage in self.middle:
            x = stage(x, time, next(following))
        for i in range(self.levels):
            for stage in self.up[i * (self.blocks + 1) : (i + 1) * (self.blocks + 1)]:
                x = stage(torch.cat([x, skips.pop()], dim=1), time, next(following))
            if i + 1 < self.levels:
                x = self.grow[i](interpolate(x, scale_factor=2.0, mode="nearest"))
        prediction: Tensor = self.last(x)
        return prediction


def time_code(t: Tensor, channels: int) -> Tensor:
    """Sinusoids of the time step, (n,) to (n, channels), wavelengths 1 to 10,000 (Ho et al. 2020)."""
    half = channels // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t.device) / half)
    angles = t[:, None].float() * rates
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def condition_levels(sizes: Sequence[int], slice_size: int) -> list[int]:
    """U-Net level of each condition map: the level with the same resolution."""
    return [int(math.log2(slice_size // size)) for size in sizes]


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
