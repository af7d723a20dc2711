"""X-ray features lifted into the patient: each pixel predicts features for depth bins along its ray.

A point of the patient takes those of the pixel that it projects to, bilinear in the image and linear between the two
nearest bins. Maps of any stride are read at the true places: their cells must be centred (dx2ct/geometry.py).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn, Tensor
from torch.nn.functional import grid_sample, interpolate, silu

from dx2ct.methods.layers.norm import GroupNorm

GROUPS = 8


class Residual2d(nn.Module):
    """Norm, SiLU, 3x3, twice, added to the input; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = GroupNorm(GROUPS, width), GroupNorm(GROUPS, width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) to the same."""
        h: Tensor = self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return x + h


class Pyramid(nn.Module):
    """A small 2D U-Net of one X-ray: maps of 1/2, 1/4, ... of its side, `widths` channels each, fine to coarse.

    full: the first map has the X-ray's own side instead, the second 1/2.

    Halvings have kernel 2, so that a cell lies in the middle of the four pixels that it comes from; the way up is
    bilinear. Odd sides are padded by their last row and column before each halving.
    """

    def __init__(self, widths: Sequence[int], full: bool = False) -> None:
        super().__init__()
        stem = widths[0] if full else widths[0] // 2
        self.stem, self.full = nn.Conv2d(3, stem, 3, padding=1), full
        pairs = pairwise(widths if full else (stem, *widths))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.encode = nn.ModuleList(Residual2d(width) for width in widths)
        self.thin = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.decode = nn.ModuleList(Residual2d(width) for width in widths[:-1])

    def forward(self, xrays: Tensor) -> list[Tensor]:
        """(n, H, W) in [0, 1] to maps (n, width, H/2^i, W/2^i), i from 1, or from 0 where they are full."""
        x = self.stem(with_place(2 * xrays[:, None] - 1))
        maps = [self.encode[0](x)] if self.full else []
        for down, encode in zip(self.down, self.encode[1:] if self.full else self.encode, strict=True):
            x = encode(down(even(maps[-1] if maps else x)))
            maps.append(x)
        for level in reversed(range(len(self.decode))):
            grown = interpolate(self.thin[level](maps[level + 1]), maps[level].shape[-2:], mode="bilinear")
            maps[level] = self.decode[level](maps[level] + grown)
        return maps


def with_place(images: Tensor) -> Tensor:
    """(n, c, H, W) with two channels more: row and column from -1 to 1."""
    rows, columns = (torch.linspace(-1, 1, side, device=images.device) for side in images.shape[-2:])
    place = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).to(images.dtype)
    return torch.cat([images, place.expand(len(images), -1, -1, -1)], dim=1)


def even(maps: Tensor) -> Tensor:
    """(n, c, h, w) with even sides, the last row and column repeated where they are odd."""
    rows, columns = (side % 2 for side in maps.shape[-2:])
    return nn.functional.pad(maps, (0, columns, 0, rows), mode="replicate") if rows or columns else maps


def lift(maps: Tensor, places: Tensor, bins: int) -> Tensor:
    """Maps (n, bins c, h, w) at places (n, z, y, x, 3) of column, row and depth in [-1, 1]: (n, c, z, y, x).

    Points beside the image take its edge, points before the first and behind the last bin that bin.
    """
    n, channels, rows, columns = maps.shape
    if bins == 1:
        flat = places[..., :2].reshape(n, -1, places.shape[-2], 2)
        sampled = grid_sample(maps, flat.to(maps.dtype), padding_mode="border", align_corners=False)
        return sampled.view(n, channels, *places.shape[1:-1])
    volume = maps.view(n, channels // bins, bins, rows, columns)
    return grid_sample(volume, places.to(maps.dtype), padding_mode="border", align_corners=False)
