"""PerX2CT's examples: whole slices or random crops of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dx2ct.data.planes import plane_coordinates, PLANES
from dx2ct.data.window import to_network
from dx2ct.methods.layers.example import Example
from dx2ct.methods.layers.patients import Patient, Patients
from dx2ct.methods.perx2ct.settings import Perx2ctSettings
from dx2ct.training.batches import draw_slices, Examples

SMALLEST_CROP = 0.25  # of a slice's side: 32 of 128 pixels


class SliceData(Examples[Example]):
    """X-rays (patient, view, N, N), points (patient, slice, g, g, 3), slices between others (patient slice, 3, N, N).

    g is the side of the network's grid of points.
    """

    def __init__(self, settings: Perx2ctSettings, scans: Sequence[str], data: Path, device: torch.device) -> None:
        size = settings.slices.size
        self.train, self.size, self.zoom_share = settings.train, size, settings.run.zoom_share
        self.grid = size // 2 ** (len(settings.model.multipliers) - 1)
        self.patients = Patients(settings, size, scans, data, device)
        self.coordinates = torch.from_numpy(plane_coordinates(size))

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Example:
        """Patients, planes, slices and crops uniformly; the parts together are the whole."""
        train, size = self.train, self.size
        chooser = np.random.default_rng((train.seed, step))
        patients, planes, numbers = draw_slices(chooser, train, len(self.patients), size)
        count, each = planes.shape
        windows = self._windows(chooser, (count, each))
        mine = range(count * part // parts, count * (part + 1) // parts)
        chosen = [self.patients.get(step, i, int(patients[i])) for i in mine]
        points, targets = [], []
        for i, patient in zip(mine, chosen, strict=True):
            for plane, number, window in zip(planes[i], numbers[i], windows[i], strict=True):
                points.append(window_points(self.coordinates[plane, number], window, self.grid))
                targets.append(cropped(self._three(patient, PLANES[plane], number), window))
        together = torch.stack(points).view(len(mine), each, self.grid, self.grid, 3)
        xrays = torch.stack([patient.xrays for patient in chosen])
        return Example((xrays, together), torch.stack(targets))

    def _windows(self, chooser: np.random.Generator, shape: tuple[int, int]) -> Tensor:
        """Row, column and side in pixels of what is drawn of every slice, (*shape, 3)."""
        side = self.size * chooser.uniform(SMALLEST_CROP, 1, size=shape)
        side = np.where(chooser.random(shape) < self.zoom_share, side, self.size)
        corner = chooser.random((2, *shape)) * (self.size - side)
        return torch.from_numpy(np.stack([*corner, side], axis=-1)).float()

    def _three(self, patient: Patient, plane: str, number: int) -> Tensor:
        """A slice between its neighbours, (3, N, N) in [0, 1]; the outermost slices are their own neighbours."""
        near = np.clip([number - 1, number, number + 1], 0, self.size - 1)
        return torch.from_numpy(to_network(patient.stacks[plane][near]) / 2 + np.float32(0.5))


def window_points(coordinates: Tensor, window: Tensor, grid: int) -> Tensor:
    """Centres of the cells of a window (row, column, side in pixels) of a slice, (N, N, 3) to (grid, grid, 3).

    The coordinates of a slice are linear in row and column.
    """
    row, column, side = window.tolist()
    cells = (torch.arange(grid) + 0.5) * side / grid - 0.5
    down, right = coordinates[1, 0] - coordinates[0, 0], coordinates[0, 1] - coordinates[0, 0]
    points: Tensor = coordinates[0, 0] + (row + cells)[:, None, None] * down + (column + cells)[None, :, None] * right
    return points


def cropped(images: Tensor, window: Tensor) -> Tensor:
    """A window of images (c, N, N), bilinearly drawn at N x N pixels; the whole is left as it is."""
    size = images.shape[-1]
    row, column, side = window.tolist()
    if side == size:
        return images
    cells = (torch.arange(size) + 0.5) * side / size
    y, x = torch.meshgrid((row + cells) * 2 / size - 1, (column + cells) * 2 / size - 1, indexing="ij")
    where = torch.stack([x, y], dim=-1)[None]
    drawn: Tensor = grid_sample(images[None], where, padding_mode="border", align_corners=False)[0]
    return drawn
