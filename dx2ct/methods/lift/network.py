"""lift: X-ray features lifted into the patient at four scales, and a 3D U-Net that corrects the mean training volume.

Every view has a pyramid of its own, a small 2D U-Net. At each grid (N, N/2, N/4, N/8 voxels a side) every voxel takes
the features of its ray and depth; views that are absent count as zeros with a mask beside them. The U-Net starts at
N/2, has transformer blocks at N/8, and ends at N with the lifted features, the X-rays themselves, the mean volume,
depths and positions. Its output is added to the mean volume. Geometry comes as matrices, one for each view of each
example.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import nn, Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d, scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint

from dx2ct.data.planes import cube_coordinates
from dx2ct.geometry import project
from dx2ct.methods.layers.lifting import GROUPS, lift, Pyramid
from dx2ct.methods.layers.norm import GroupNorm
from dx2ct.methods.layers.positions import encode
from dx2ct.methods.lift.settings import LiftSettings


def convolution(inputs: int, outputs: int) -> nn.Conv3d:
    """3x3x3. oneDNN chooses its own order of memory: with channels last a backward pass was a quarter slower."""
    return nn.Conv3d(inputs, outputs, 3, padding=1)


class Residual3d(nn.Module):
    """Norm, SiLU, 3x3x3, twice, added to the input; starts as the identity.

    normed: the finest grid goes without, where norms took a seventh of a step.
    """

    def __init__(self, width: int, normed: bool = True) -> None:
        super().__init__()
        self.norm1, self.norm2 = (GroupNorm(GROUPS, width) if normed else nn.Identity() for _ in range(2))
        self.conv1, self.conv2 = convolution(width, width), convolution(width, width)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, z, y, x) to the same."""
        h: Tensor = self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return x + h


class TransformerBlock(nn.Module):
    """Pre-norm self-attention over the voxels of the coarsest grid, and an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, token, width) to the same."""
        q, k, v = self.qkv(self.norm1(tokens)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        tokens = tokens + self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        updated: Tensor = tokens + self.mlp(self.norm2(tokens))
        return updated


class Joined(nn.Module):
    """What is known at a grid, brought to `width` channels and modulated by a code of the voxels' positions."""

    def __init__(self, inputs: int, width: int, octaves: int) -> None:
        super().__init__()
        self.octaves = octaves
        self.mix = nn.Conv3d(inputs, width, 1)
        self.code = nn.Sequential(nn.Linear(3 + 6 * octaves, 64), nn.SiLU(), nn.Linear(64, 2 * width))
        self.conv = convolution(width, width)

    def forward(self, known: Tensor, points: Tensor) -> Tensor:
        """known (n, inputs, z, y, x), points (z, y, x, 3) to (n, width, z, y, x)."""
        scale, shift = self.code(encode(points, self.octaves)).movedim(-1, 0)[None].chunk(2, dim=1)
        joined: Tensor = self.conv(silu(self.mix(known) * (1 + scale) + shift))
        return joined


class Grow(nn.Module):
    """A grid of twice the side: 1x1x1 to eight times the channels, which become the eight children of a voxel."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = nn.Conv3d(inputs, 8 * outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, z, y, x) to (n, outputs, 2 z, 2 y, 2 x)."""
        children = self.mix(x).unflatten(1, (-1, 2, 2, 2))
        n, c, _, _, _, z, y, x_ = children.shape
        grown: Tensor = children.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, c, 2 * z, 2 * y, 2 * x_)
        return grown


class Lift(nn.Module):
    """X-rays, mask and matrices to a volume; see the module text."""

    mean: Tensor

    def __init__(self, settings: LiftSettings) -> None:
        super().__init__()
        model, size, views = settings.model, settings.slices.size, len(settings.run.views)
        self.model, self.size, self.views = model, size, views
        self.pyramids = nn.ModuleList(Pyramid(model.pyramid) for _ in range(views))
        heads = zip(model.pyramid, model.bins, model.lifted, strict=True)
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, bins * channels, 1) for _ in range(views)) for width, bins, channels in heads
        )
        self.register_buffer("mean", torch.zeros(1, 1, size, size, size))  # of the training volumes, in [0, 1]
        for level in range(len(model.widths)):
            grid = torch.from_numpy(cube_coordinates(size // 2**level))
            self.register_buffer(f"points{level}", grid, persistent=False)
        known = [views * (channels + 3) + 1 for channels in model.lifted]  # features, X-ray, depth, mask; the mean
        widths = model.widths
        self.joined = nn.ModuleList(
            Joined(inputs, width, model.octaves) for inputs, width in zip(known[1:], widths[1:], strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv3d(a, b, 2, stride=2) for a, b in pairwise(widths[1:]))
        self.down = nn.ModuleList(
            _blocks(width, count) for width, count in zip(widths[1:], model.blocks[1:], strict=True)
        )
        tokens = (size // 2 ** (len(widths) - 1)) ** 3
        self.places = nn.Parameter(0.02 * torch.randn(tokens, widths[-1]))
        self.transformer = nn.ModuleList(
            TransformerBlock(widths[-1], model.heads) for _ in range(model.transformer_blocks)
        )
        self.grow = nn.ModuleList(Grow(b, a) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_blocks(width, 1) for width in widths[1:-1])
        self.first = nn.Conv3d(known[0] + 3, widths[0], 1)
        self.fine = _blocks(widths[0], model.blocks[0], normed=False)
        self.last = nn.Conv3d(widths[0], 1, 1)  # with 3x3x3 it learnt more slowly, and took a tenth of a step
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast(Tensor, self.last.bias))

    def forward(self, xrays: Tensor, mask: Tensor, matrices: Tensor) -> Tensor:
        """X-rays (n, view, H, W) in [0, 1], mask (n, view) 1 where a view is there, matrices (n, view, 3, 4) to the
        volume (n, 1, z, y, x), in [0, 1] but not clipped."""
        maps = [cast(Pyramid, pyramid)(xrays[:, i]) for i, pyramid in enumerate(self.pyramids)]
        known = [self._known(level, xrays, mask, matrices, maps) for level in range(1, len(self.model.widths))]
        x = self._coarse(known)
        if self.model.checkpoint and self.training:
            finest: Tensor = checkpoint(  # nothing in it is random, and a recorded step may not ask for the generator
                self._fine, x, xrays, mask, matrices, maps, use_reentrant=False, preserve_rng_state=False
            )
        else:
            finest = self._fine(x, xrays, mask, matrices, maps)
        return self.mean + finest

    def _coarse(self, known: Sequence[Tensor]) -> Tensor:
        """The U-Net from half the grid down to the coarsest and back: features at half the grid."""
        skips: list[Tensor] = []
        x: Tensor | None = None
        for i, features in enumerate(known):
            joined = self.joined[i](features, getattr(self, f"points{i + 1}"))
            x = joined if x is None else joined + self.shrink[i - 1](x)
            x = self.down[i](x)
            skips.append(cast(Tensor, x))
        x = skips.pop()
        tokens = x.flatten(2).transpose(1, 2) + self.places
        for block in self.transformer:
            tokens = block(tokens)
        x = tokens.transpose(1, 2).reshape(x.shape)
        for level in reversed(range(len(skips))):
            x = self.up[level](self.grow[level + 1](x) + skips.pop())
        return x

    def _fine(
        self, x: Tensor, xrays: Tensor, mask: Tensor, matrices: Tensor, maps: Sequence[Sequence[Tensor]]
    ) -> Tensor:
        """The correction of the mean volume, from features at half the grid."""
        points = cast(Tensor, self.points0).movedim(-1, 0)[None].expand(len(x), -1, -1, -1, -1)
        known = torch.cat([self._known(0, xrays, mask, matrices, maps), points], dim=1)
        corrected: Tensor = self.last(silu(self.fine(self.grow[0](x) + self.first(known))))
        return corrected

    def _known(
        self, level: int, xrays: Tensor, mask: Tensor, matrices: Tensor, maps: Sequence[Sequence[Tensor]]
    ) -> Tensor:
        """Inputs of a grid: of each view the lifted features, the X-ray itself, depth and mask; the mean volume."""
        points = getattr(self, f"points{level}")
        places, size = project(matrices, points[None]), self.size // 2**level
        parts = []
        for i in range(self.views):
            there = mask[:, i, None, None, None, None]
            features = lift(
                cast(nn.ModuleList, self.heads[level])[i](maps[i][level]), places[:, i], self.model.bins[level]
            )
            small = avg_pool2d(xrays[:, i, None], xrays.shape[-1] // size)
            value = lift(small, places[:, i], 1)
            depth = places[:, i, ..., 2][:, None].to(features.dtype)
            parts += [features * there, value * there, depth * there, there.expand_as(depth)]
        mean = avg_pool3d(self.mean, 2**level) if level else self.mean
        return torch.cat([*parts, mean.expand(len(xrays), -1, -1, -1, -1)], dim=1)


def _blocks(width: int, count: int, normed: bool = True) -> nn.Sequential:
    return nn.Sequential(*(Residual3d(width, normed) for _ in range(count)))
