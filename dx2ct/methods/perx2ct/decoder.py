"""The decoder of VQGAN (Esser et al., CVPR 2021), which PerX2CT draws its slices with."""

from collections.abc import Sequence

from torch import nn, Tensor
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu


class ResBlock(nn.Module):
    """Norm, swish, 3x3 convolution, twice, and a skip."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, inputs), nn.GroupNorm(groups, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        drawn: Tensor = self.skip(x) + self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return drawn


class Attention(nn.Module):
    """Self-attention of one head over the pixels, residual."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w), the same."""
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=-1)
        attended = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        result: Tensor = x + self.out(attended)
        return result


class Decoder(nn.Module):
    """(n, inputs, g, g) to (n, 3, g 2^k, g 2^k), k one less than there are multipliers; attention at g pixels."""

    def __init__(self, inputs: int, channels: int, multipliers: Sequence[int], res_blocks: int, groups: int) -> None:
        super().__init__()
        width = channels * multipliers[-1]
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.middle = nn.Sequential(
            ResBlock(width, width, groups), Attention(width, groups), ResBlock(width, width, groups)
        )
        self.levels, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(multipliers))):
            layers: list[nn.Module] = []
            for _ in range(res_blocks + 1):
                layers.append(ResBlock(width, channels * multipliers[level], groups))
                width = channels * multipliers[level]
                if level + 1 == len(multipliers):
                    layers.append(Attention(width, groups))
            self.levels.append(nn.Sequential(*layers))
            if level:
                self.grow.append(nn.Conv2d(width, width, 3, padding=1))
        self.last = nn.Sequential(nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """The image, not clipped."""
        x = self.middle(self.first(x))
        for i, level in enumerate(self.levels):
            x = level(x)
            if i < len(self.grow):
                x = self.grow[i](interpolate(x, scale_factor=2.0, mode="nearest"))
        drawn: Tensor = self.last(x)
        return drawn
