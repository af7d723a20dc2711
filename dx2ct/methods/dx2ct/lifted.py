"""Condition maps from X-ray features that are lifted into the patient, instead of by 3DPQT alone.

Each pixel of a view's pyramid predicts features for depth bins along its ray; a slice samples them at its own voxels,
at every level of the U-Net. With 3DPQT (query_transformer) the maps of the two coarsest levels are its queries, and its
output is added; it starts at zero, so that the maps begin as lifted alone.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn, Tensor
from torch.nn.functional import avg_pool2d, silu

from dx2ct.geometry import project, projection_matrices
from dx2ct.methods.contract import training_views
from dx2ct.methods.dx2ct.query_transformer import QueryTransformer
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.layers.lifting import lift, Pyramid
from dx2ct.methods.layers.positions import encode

Encoded = tuple[list[list[Tensor]], list[Tensor], Tensor]  # maps by level and view, X-rays by level, matrices


class LiftedConditions(nn.Module):
    """Condition maps of every level, fine to coarse, with `model.lift.conditions` channels each."""

    matrices: Tensor

    def __init__(self, settings: Dx2ctSettings) -> None:
        super().__init__()
        model, size, views = settings.model.lift, settings.slices.size, settings.run.views
        self.bins, self.octaves = model.bins, settings.model.positions.octaves
        self.sizes = [size // 2**level for level in range(len(model.widths))]
        self.pyramids = nn.ModuleList(Pyramid(model.widths, full=True) for _ in views)
        heads = zip(model.widths, model.bins, model.channels, strict=True)
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, bins * channels, 1) for _ in views) for width, bins, channels in heads
        )
        self.mix, self.code, self.last = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for channels, width in zip(model.channels, model.conditions, strict=True):
            self.mix.append(nn.Conv2d(len(views) * (channels + 1), width, 1))
            self.code.append(nn.Sequential(nn.Linear(3 + 6 * self.octaves, 64), nn.SiLU(), nn.Linear(64, 2 * width)))
            self.last.append(nn.Conv2d(width, width, 3, padding=1))
        matrices = torch.from_numpy(projection_matrices(training_views(settings), views))[None]
        self.register_buffer("matrices", matrices, persistent=False)
        self.transformers, self.tokens = nn.ModuleList(), nn.ModuleList()
        if settings.run.query_transformer:
            for width, wide in zip(model.widths[-2:], model.conditions[-2:], strict=True):
                self.transformers.append(_Refinement(settings, wide))
                self.tokens.append(nn.Conv2d(width + len(views), settings.model.transformer.width, 1))

    def forward(self, xrays: Tensor, coordinates: Tensor) -> list[Tensor]:
        """X-rays (patient, view, H, W) in [0, 1] and slice coordinates (patient, slice, N, N, 3) to one map
        (patient slice, channels, s, s) per level, in the training's geometry."""
        return self.condition_maps(self.encode_xrays(xrays), coordinates)

    def encode_xrays(self, xrays: Tensor, matrices: Tensor | None = None) -> Encoded:
        """What all slices of a patient share; matrices: (patient, view, 3, 4), by default the training's geometry."""
        pyramids = [cast(Pyramid, pyramid)(xrays[:, i]) for i, pyramid in enumerate(self.pyramids)]
        by_level = [[maps[level] for maps in pyramids] for level in range(len(self.sizes))]
        small = [avg_pool2d(xrays, xrays.shape[-1] // size) for size in self.sizes]
        chosen = self.matrices if matrices is None else matrices
        return by_level, small, chosen.expand(len(xrays), -1, -1, -1)

    def condition_maps(self, encoded: Encoded, coordinates: Tensor) -> list[Tensor]:
        """The condition maps of some slices, as `forward`, from the encoded X-rays of their patients."""
        by_level, xrays, matrices = encoded
        maps = []
        for level in range(len(self.sizes)):
            points = pooled(coordinates, 2**level)
            places = project(matrices, points)
            parts = []
            for i, features in enumerate(by_level[level]):
                head = cast(nn.ModuleList, self.heads[level])[i]
                parts.append(lift(head(features), places[:, i], self.bins[level]))
                parts.append(lift(xrays[level][:, i, None], places[:, i], 1))
            mixed = self.mix[level](torch.cat(parts, dim=1).transpose(1, 2).flatten(0, 1))
            code = self.code[level](encode(points, self.octaves)).flatten(0, 1).movedim(-1, 1)
            scale, shift = code.chunk(2, dim=1)
            maps.append(silu(self.last[level](silu(mixed * (1 + scale) + shift))))
        return self._refined(maps, by_level, coordinates.shape[:2])

    def _refined(self, maps: list[Tensor], by_level: Sequence[Sequence[Tensor]], shape: Sequence[int]) -> list[Tensor]:
        """The two coarsest maps with what 3DPQT adds to them, where there is one."""
        first = len(maps) - len(self.transformers)
        for i, transformer in enumerate(self.transformers):
            level = first + i
            tokens = [
                self.tokens[i](_with_view(features, view, len(by_level[level])))
                for view, features in enumerate(by_level[level])
            ]
            together = torch.cat([t.flatten(2) for t in tokens], dim=-1).transpose(1, 2)
            maps[level] = maps[level] + transformer(maps[level].view(*shape, *maps[level].shape[1:]), together)
        return maps


class _Refinement(nn.Module):
    """A 3DPQT whose queries start from lifted maps; what it adds starts at zero."""

    def __init__(self, settings: Dx2ctSettings, channels: int) -> None:
        super().__init__()
        width = settings.model.transformer.width
        self.into, self.out = nn.Linear(channels, width), nn.Conv2d(width, channels, 1)
        self.transformer = QueryTransformer(settings.model.transformer)
        for tensor in self.out.parameters():
            nn.init.zeros_(tensor)

    def forward(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """maps (patient, slice, c, h, w), tokens (patient, k, width) to (patient slice, c, h, w)."""
        queries = self.into(maps.movedim(2, -1))
        added: Tensor = self.out(self.transformer(queries, self.transformer.keys_values(tokens)))
        return added


def pooled(coordinates: Tensor, factor: int) -> Tensor:
    """(patient, slice, N, N, 3) to the centres of cells of factor x factor pixels."""
    if factor == 1:
        return coordinates
    maps = coordinates.flatten(0, 1).movedim(-1, 1)
    small = avg_pool2d(maps, factor).movedim(1, -1)
    return small.reshape(*coordinates.shape[:2], *small.shape[1:])


def _with_view(features: Tensor, view: int, views: int) -> Tensor:
    """(n, c, h, w) with a channel for every view, 1 in its own."""
    marks = features.new_zeros(len(features), views, *features.shape[-2:])
    marks[:, view] = 1
    return torch.cat([features, marks], dim=1)
