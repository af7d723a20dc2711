"""What the learned rivals' training data is made of, in their own scale: a CT is HU + 1024 over 2500, in [0, 1]."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_stack
from dx2ct.data.window import to_network

Planes = dict[str, Tensor]  # {plane: (z, y, x)} in [0, 1]


@dataclass(frozen=True)
class Example:
    """Inputs of the network's forward pass, the first of them X-rays (n, view, H, W), and what it should say."""

    inputs: tuple[Tensor, ...]
    wanted: Tensor

    def to(self, device: torch.device) -> "Example":
        """The batch on another device."""
        return Example(tuple(x.to(device, non_blocking=True) for x in self.inputs), self.wanted.to(device))

    def pinned(self) -> "Example":
        """The batch in memory from which a GPU copies while it computes."""
        return Example(tuple(x.pin_memory() for x in self.inputs), self.wanted.pin_memory())


def read_volume(data: Path, scan: str, size: int) -> Tensor:
    """A scan's truth, (z, y, x) in [0, 1]."""
    return torch.from_numpy(to_network(read_stack(data, scan, "axial", size)) / 2 + np.float32(0.5))


def one_volume(volume: Tensor) -> Planes:
    """The same volume for every plane."""
    return dict.fromkeys(PLANES, volume)
