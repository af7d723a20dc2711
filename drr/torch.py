"""The ray-caster as a differentiable operator: gradients of anything that looks at DRRs flow back into the volume."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drr.attenuation import IDENTITY
from drr.caster import backproject, render
from drr.geometry import View
from drr.volume import Volume


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, mu: Tensor, place: Volume, views: Sequence[View], backend: str, threads: int) -> Tensor:
        context.given = (place, views, backend, threads)
        grid = Volume(mu.detach().cpu().numpy(), place.spacing_mm, place.origin_mm, place.direction)
        images = render(grid, views, backend, attenuation=IDENTITY, threads=threads)
        return torch.from_numpy(images).to(mu.device)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        place, views, backend, threads = context.given
        (images,) = gradients
        volume = backproject(images.cpu().numpy(), views, place, backend, threads)
        return torch.from_numpy(volume).to(images.device), None, None, None, None


def project(mu: Tensor, place: Volume, views: Sequence[View], backend: str = "auto", threads: int = 0) -> Tensor:
    """Exact line integrals, (view, row, column), of an attenuation volume in 1/mm that lies where `place` lies.

    mu: (z, y, x) float32, the shape of `place`, on any device (the ray-caster works on the host's memory). The operator
    is linear, so its gradient is the back-projection of the images' gradient (drr.caster.backproject), exactly.
    """
    if tuple(mu.shape) != place.array.shape:
        raise ValueError(f"mu of shape {tuple(mu.shape)} does not lie on a grid of {place.array.shape}")
    images: Tensor = _Project.apply(mu.to(torch.float32), place, views, backend, threads)  # type: ignore[no-untyped-call]
    return images


def grid_of(size: int, spacing_mm: float) -> Volume:
    """An empty cube of `size` voxels a side centred on the isocentre (0, 0, 0), in patient axes."""
    origin = -(size - 1) / 2 * spacing_mm
    empty = np.broadcast_to(np.float32(0), (size, size, size))
    return Volume(empty, (spacing_mm,) * 3, (origin,) * 3)
