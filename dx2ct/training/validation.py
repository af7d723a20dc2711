"""Validation while training: PSNR of a fixed choice of slices, reconstructed by a few DDIM steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.errors import InputError
from dx2ct.config import Dx2ctSettings
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import to_network
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.samplers import diffusion
from dx2ct.training.batches import plane_coordinates
from dx2ct.training.distributed import rank, sum_over_ranks, world

SHOWN = 8  # slices in the picture


@dataclass(frozen=True)
class Validation:
    """PSNR over 2500 HU of all slices pooled, dB, and a picture (2 N, n N) in [-1, 1]: truth above reconstruction."""

    psnr_db: float
    picture: NDArray[np.float32]


@dataclass(frozen=True)
class _Example:
    """The slices of one scan: xrays (1, view, H, W), coordinates (1, n, N, N, 3), truth (n, 1, N, N) in [-1, 1]."""

    xrays: Tensor
    coordinates: Tensor
    truth: Tensor


class ValidationSet:
    """The slices, chosen by the seed alone, divided among the processes by scan; all start from one noise image."""

    def __init__(self, settings: Dx2ctSettings, scans: Sequence[str], data: Path, device: torch.device) -> None:
        asked = settings.train.validation
        if not scans:
            raise InputError(
                f"train.validation.every is {asked.every}, but the cohort has no scan of split {asked.split}"
            )
        size = settings.slices.size
        self.settings, self.device = settings, device
        chooser = np.random.default_rng((settings.train.seed, 0))
        chosen: dict[int, list[tuple[int, int]]] = {}
        for i in range(asked.slices):  # every scan before one twice, every plane before one twice
            number = int(chooser.integers(size // 8, size - size // 8))  # the outermost slices are mostly air
            chosen.setdefault(i % len(scans), []).append(((i + i // len(scans)) % len(PLANES), number))
        mine = list(chosen.items())[rank() :: world()]
        self.examples = [self._example(scans[scan], slices, data) for scan, slices in mine]
        generator = torch.Generator().manual_seed(settings.train.seed)
        self.noise = torch.randn(1, 1, size, size, generator=generator).to(device)

    def _example(self, scan: str, chosen: list[tuple[int, int]], data: Path) -> _Example:
        run, pixels = self.settings.run, self.settings.model.xray_pixels
        stacks = {plane: read_stack(data, scan, plane) for plane in PLANES}
        truth = np.stack([stacks[PLANES[plane]][number] for plane, number in chosen])
        planes, numbers = (torch.tensor(column) for column in zip(*chosen, strict=True))
        return _Example(
            torch.from_numpy(read_xrays(data, scan, run.views, pixels))[None],
            plane_coordinates(self.settings.slices.size)[planes, numbers][None],
            torch.from_numpy(to_network(truth))[:, None],
        )

    @torch.no_grad()
    def validate(self, model: DX2CT) -> Validation:
        """Reconstruct the slices with the network as it is; every process must call this at the same step."""
        squares, voxels, pairs = 0.0, 0.0, []
        for example in self.examples:
            said, truth = self._reconstruct(model, example), example.truth
            squares += float((said - truth).double().square().sum())
            voxels += truth.numel()
            pairs += [torch.cat([a[0], b[0]]) for a, b in zip(truth, said, strict=True)]
        squares, voxels = sum_over_ranks([squares, voxels], self.device)
        picture = torch.cat(pairs[:SHOWN], dim=1).numpy() if pairs else np.zeros((2, 1), np.float32)
        return Validation(float(10 * np.log10(4 * voxels / max(squares, 1e-30))), picture)

    def _reconstruct(self, model: DX2CT, example: _Example) -> Tensor:
        """(n, 1, N, N) in [-1, 1], on the CPU."""
        maps = model.conditions(example.xrays.to(self.device), example.coordinates.to(self.device))
        return diffusion.ddim(
            diffusion.linear_schedule(self.settings.diffusion),
            self.settings.run.prediction,
            partial(model.unet, steering=model.steering(maps)),
            self.noise.expand(len(example.truth), -1, -1, -1),
            self.settings.train.validation.steps,
        ).cpu()
