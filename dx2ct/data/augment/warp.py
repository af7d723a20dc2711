"""A smooth map of the cube on itself: rotation, scales, shear, shift, an elastic field and a stretch of the chest.

It says for each point of the new cube where in the old one its value is from, so that every voxel gets exactly one. A
mirror is never among the maps: rotations stay under 45 degrees and scales positive.
"""

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from drr.volume import AIR_HU
from dx2ct.config.augment import AugmentSettings

Generator = np.random.Generator
LOWEST, HIGHEST = -0.4, 0.4  # of the middle of the stretched part along z, in half sides of the cube
REACH = (0.4, 0.8)  # half the length of that part


@dataclass(frozen=True, eq=False)
class Warp:
    """From the new cube to the old one, points as (x, y, z) in [-1, 1].

    affine (3, 4). elastic (3, n, n, n): moves in x, y, z at the points of a cubic B-spline, along z, y, x.
    breath: middle, reach and share of a stretch along z.
    """

    affine: NDArray[np.float64]
    elastic: NDArray[np.float64]
    breath: tuple[float, float, float]

    def points(self, size: int, device: torch.device) -> Tensor:
        """Where the values of a new cube of `size` voxels a side are from, (z, y, x, 3) float32."""
        axis = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) * 2 / size - 1
        x, y, z = axis, axis[:, None], (axis + self._stretched(axis))[:, None, None]
        x, y, z = (place + move for place, move in zip((x, y, z), self._moved(size, device), strict=True))
        matrix = self.affine.tolist()
        return torch.stack([row[0] * x + row[1] * y + row[2] * z + row[3] for row in matrix], dim=-1)

    def _stretched(self, z: Tensor) -> Tensor:
        """Moves along z, 0 outside of the stretched part and smooth at its ends."""
        middle, reach, share = self.breath
        place = ((z - middle) / reach).clamp(-1, 1)
        return -share * reach / math.pi * torch.sin(math.pi * place)

    def _moved(self, size: int, device: torch.device) -> Tensor:
        """Moves in x, y and z by the elastic field, (3, z, y, x)."""
        weights = spline_weights(self.elastic.shape[1], size).to(device)
        field = torch.from_numpy(self.elastic).float().to(device)
        for _ in range(3):  # one axis after the other: z, y, x of (3, z, y, x), each appended as the last
            field = torch.tensordot(field, weights, dims=([1], [1]))
        return field


def draw_warp(generator: Generator, settings: AugmentSettings, side_mm: float) -> Warp:
    """A random warp; moves are given in mm of a cube of `side_mm` and kept in half sides of it."""

    def within(limit: float, *shape: int) -> NDArray[np.float64]:
        return generator.uniform(-limit, limit, shape)

    turn = rotation(within(settings.rotation_deg, 3))
    scales = (1 + within(settings.scale, 1)) * (1 + within(settings.stretch, 3))
    shear = np.eye(3)
    shear[np.triu_indices(3, 1)] = within(settings.shear, 3)
    shift = within(settings.shift_mm, 3) * 2 / side_mm
    matrix = turn @ shear @ np.diag(1 / scales)
    points = settings.elastic_points + 3  # one point beyond each border, and one more for the last interval
    elastic = within(settings.elastic_mm * 2 / side_mm, 3, points, points, points)
    middle, reach = generator.uniform(LOWEST, HIGHEST), generator.uniform(*REACH)
    breath = float(middle), float(reach), float(within(settings.breath, 1)[0])
    return Warp(np.concatenate([matrix, -(matrix @ shift)[:, None]], axis=1), elastic, breath)


def rotation(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """3 x 3: about x, then y, then z."""
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def spline_weights(points: int, size: int) -> Tensor:
    """(size, points): cubic B-spline weights of points - 3 intervals over the cube, at the voxels' centres.

    Unser, Splines: a perfect fit for signal and image processing, 1999: the four weights of a place add up to 1.
    """
    place = (np.arange(size) + 0.5) / size * (points - 3)
    distance = np.abs(place[:, None] + 1 - np.arange(points))
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance) ** 3 / 6
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return torch.from_numpy(weights).float()


def warped(hu: Tensor, points: Tensor) -> Tensor:
    """HU (z, y, x) at the points (z, y, x, 3), linearly between voxels.

    Beyond the cube's sides there is air, as outside a scanner's field of view; above and below its border goes on.
    """
    x, y, z = points.unbind(-1)
    last = 1 - 1 / len(hu)
    inside = torch.stack([x, y, z.clamp(-last, last)], dim=-1)
    drawn = grid_sample((hu - AIR_HU)[None, None], inside[None], padding_mode="zeros", align_corners=False)
    return drawn[0, 0] + AIR_HU
