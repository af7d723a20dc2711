"""Line integrals of a volume that lies in memory, or on a GPU."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from drr.attenuation import Attenuation
from drr.geometry import View
from drr.projector import Projector
from dx2ct.data.grid import CubeGrid

RAYS = 2  # along each side of a pixel, as the detector's own smaller pixels are averaged


def rendered(hu: Tensor, grid: CubeGrid, views: Sequence[View], law: Attenuation) -> Tensor:
    """Line integrals (view, row, column) of whole HU (z, y, x) on a grid, on the tensor's device, as of stage xray."""
    backend = "cuda" if hu.is_cuda else "cpu"
    projector = Projector(grid.volume(), views, rays=RAYS, backend=backend, threads=1)
    if not hu.is_cuda:
        return torch.from_numpy(projector.render(hu.numpy().astype(np.int16), law))
    table = torch.from_numpy(np.asarray(law(np.arange(-(2**15), 2**15)), np.float32)).to(hu.device)
    images: Tensor = projector(table[hu.long() + 2**15])
    return images
