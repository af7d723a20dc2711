"""Where slices and X-ray pixels lie in the patient, and the networks that encode it (the paper's eqs. 2 and 3).

Coordinates are patient LPS (x, y, z) relative to the centre of the CT cube, in units of half its side, so the cube is
[-1, 1]^3. They come from drr.geometry, the same value that renders the X-rays.
"""

from collections.abc import Sequence
from itertools import pairwise
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from drr.geometry import ConeBeam, View

RAY_POINTS = 12  # of a ray in the cube: closer together than the cells of the finest feature map at 48 pixels


def view_coordinates(
    view: View, beam: ConeBeam, pixels: int, cube_mm: float, xray: Literal["plane", "cone_beam"]
) -> NDArray[np.float32]:
    """Where every X-ray pixel lies in the patient, (row, column, point, 3).

    view: one of the beam's, around the origin.

    plane: one point a pixel, as in the paper, which gives every view one fixed coronal or sagittal plane and does not
        say which; ours is the cube's face nearest the detector, met by the pixel's true ray.
    cone_beam: RAY_POINTS points of that ray between the two faces of the cube; their codes are averaged.
    """
    frame = view.resized(pixels)
    source = np.array(frame.source_mm)
    depths = np.array([1.0]) if xray == "plane" else (np.arange(RAY_POINTS) + 0.5) * 2 / RAY_POINTS - 1
    along = (beam.source_isocentre_mm + depths[:, None] * cube_mm / 2) / beam.source_detector_mm
    points = source + along * (frame.pixel_centres_mm() - source)[..., None, :]
    return np.asarray(points / (cube_mm / 2), dtype=np.float32)


def encode(coordinates: Tensor, octaves: int) -> Tensor:
    """(..., 3) to (..., 3 + 6 octaves): the coordinates with sin and cos of pi 2^k times them (NeRF, eq. 4)."""
    angles = coordinates[..., None] * (math.pi * 2.0 ** torch.arange(octaves, device=coordinates.device))
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    return torch.cat([coordinates, waves], dim=-1)


class PositionNetwork(nn.Module):
    """Positional encoding, MLP and average pooling: a coordinate map to one code map per feature scale.

    The pooling stands after the MLP in the paper; the last layer is linear, so pooling before it gives the same
    numbers for less work.
    """

    def __init__(self, octaves: int, hidden: int, layers: int, width: int) -> None:
        super().__init__()
        self.octaves = octaves
        sizes = [3 + 6 * octaves, *[hidden] * (layers - 1)]
        parts: list[nn.Module] = []
        for before, after in pairwise(sizes):
            parts += [nn.Linear(before, after), nn.GELU()]
        self.hidden = nn.Sequential(*parts)
        self.out = nn.Linear(sizes[-1], width)

    def forward(self, coordinates: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """(n, H, W, point, 3) to [(n, s, s, width) for s in sizes]; the codes of a pixel's points are averaged too."""
        maps = self.hidden(encode(coordinates, self.octaves)).mean(dim=-2).movedim(-1, 1)
        pooled = [nn.functional.avg_pool2d(maps, maps.shape[-1] // size) for size in sizes]
        return [self.out(p.movedim(1, -1)) for p in pooled]
