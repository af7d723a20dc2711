"""DX2CT's validation: PSNR of a fixed choice of slices, reconstructed by a few DDIM steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dx2ct.data.planes import plane_coordinates, PLANES
from dx2ct.data.scans import as_seen, read_stack, read_xrays
from dx2ct.data.window import to_network
from dx2ct.methods.dx2ct.network import DX2CT, schedule_of
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.samplers.ddim import ddim
from dx2ct.training.distributed import rank, world
from dx2ct.training.validation import Pooled, Validation


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
        views, size = self.settings.run.views, self.settings.slices.size
        stacks = {plane: read_stack(data, scan, plane) for plane in PLANES}
        truth = np.stack([stacks[PLANES[plane]][number] for plane, number in chosen])
        planes, numbers = (torch.tensor(column) for column in zip(*chosen, strict=True))
        return _Example(
            torch.from_numpy(as_seen(read_xrays(data, scan, views), views, size))[None],
            torch.from_numpy(plane_coordinates(size))[planes, numbers][None],
            torch.from_numpy(to_network(truth))[:, None],
        )

    @torch.no_grad()
    def validate(self, model: DX2CT) -> Validation:
        """Reconstruct the slices with the network as it is; every process must call this at the same step."""
        pooled = Pooled(2.0, self.device)
        for example in self.examples:
            output, truth = self._reconstruct(model, example), example.truth
            pooled.add(truth, output, (torch.cat([a[0], b[0]]) for a, b in zip(truth, output, strict=True)))
        return pooled.result()

    def _reconstruct(self, model: DX2CT, example: _Example) -> Tensor:
        """(n, 1, N, N) in [-1, 1], on the CPU."""
        settings = self.settings
        maps = model.conditions(example.xrays.to(self.device), example.coordinates.to(self.device))
        return ddim(
            schedule_of(settings),
            settings.run.prediction,
            partial(model.unet, modulation=model.modulation(maps)),
            self.noise.expand(len(example.truth), -1, -1, -1),
            settings.train.validation.steps,
        ).cpu()
