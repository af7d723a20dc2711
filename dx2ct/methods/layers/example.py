"""Training examples of methods with one forward pass, in their own scale: a CT is HU + 1024 over 2500, in [0, 1]."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_stack
from dx2ct.data.window import to_network
from dx2ct.training.batches import TensorBatch

Volumes = dict[str, Tensor]  # {plane: (z, y, x)} in [0, 1]


@dataclass(frozen=True)
class Example(TensorBatch):
    """Inputs of the network's forward pass, the first of them X-rays (n, view, H, W), and its target."""

    inputs: tuple[Tensor, ...]
    target: Tensor


def read_volume(data: Path, scan: str, size: int) -> Tensor:
    """A scan's truth, (z, y, x) in [0, 1]."""
    return torch.from_numpy(to_network(read_stack(data, scan, "axial", size)) / 2 + np.float32(0.5))


def one_volume(volume: Tensor) -> Volumes:
    """The same volume for every plane."""
    return dict.fromkeys(PLANES, volume)
