"""Three stacks of slices as one volume, so that at every step the planes agree on what they show."""

import torch
from torch import Tensor

# Stacks lie as dx2ct/data/planes.py says: a volume (..., z, y, x) to three stacks (..., plane, slice, row, column).


def to_stacks(volume: Tensor) -> Tensor:
    """A cube (..., z, y, x) as its three stacks, (..., 3, N, N, N)."""
    flipped = volume.flip(-3)
    return torch.stack([volume, flipped.movedim(-2, -3), flipped.movedim(-1, -3)], dim=-4)


def to_volumes(stacks: Tensor) -> Tensor:
    """Inverse of `to_stacks` without the fusion: every plane's volume, (..., 3, z, y, x)."""
    axial, coronal, sagittal = stacks.unbind(-4)
    volumes = [axial, coronal.movedim(-3, -2).flip(-3), sagittal.movedim(-3, -1).flip(-3)]
    return torch.stack(volumes, dim=-4)


def fused(slices: Tensor, samples: int) -> Tensor:
    """Slices (samples 3 N, 1, N, N) to the mean of the three planes' volumes, (samples, z, y, x)."""
    size = slices.shape[-1]
    return to_volumes(slices.view(samples, 3, size, size, size)).mean(dim=1)


def sliced(volumes: Tensor) -> Tensor:
    """Volumes (samples, z, y, x) to all their slices, (samples 3 N, 1, N, N)."""
    size = volumes.shape[-1]
    return to_stacks(volumes).reshape(-1, 1, size, size)
