"""The patients of a training step: a prepared scan as it is, or a changed copy of it with X-rays of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from dx2ct import layout
from dx2ct.config import LearnedSettings
from dx2ct.data.augment.copies import Copier
from dx2ct.data.augment.surroundings import body
from dx2ct.data.grid import CubeGrid
from dx2ct.data.planes import to_plane
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import as_seen, read_stack, read_xrays
from dx2ct.geometry import projection_matrices, Views
from dx2ct.layout import PLANES
from dx2ct.methods.contract import training_views

Array = NDArray[np.float32]
AUGMENT = 2  # what the generator of changed copies is told beside seed, step and example
KEPT_BYTES = 2**30  # of fine volumes in memory; more are read again


@dataclass(frozen=True, eq=False)
class Patient:
    """xrays (view, H, W) in [0, 1]; matrices (view, 3, 4) of dx2ct/geometry.py; stacks: HU by plane, (slice, row,
    column)."""

    xrays: Tensor
    matrices: Tensor
    stacks: dict[str, NDArray[np.generic]]


class Patients:
    """Scans in the order of `scans`; of each step some are changed, by (seed, step, example) alone.

    pixels: side of the X-ray that the network sees. device: where copies are made.
    """

    def __init__(
        self, settings: LearnedSettings, pixels: int, scans: Sequence[str], data: Path, device: torch.device
    ) -> None:
        self.settings, self.pixels, self.scans, self.data = settings, pixels, scans, data
        self.augment, self.names, self.size = settings.train.augment, settings.run.views, settings.slices.size
        views = training_views(settings)
        self.matrices = torch.from_numpy(projection_matrices(views, self.names))
        self.stacks = [{plane: read_stack(data, scan, plane, self.size) for plane in PLANES} for scan in scans]
        seen = [as_seen(read_xrays(data, scan, self.names), self.names, pixels) for scan in scans]
        self.xrays = torch.from_numpy(np.stack(seen))
        voxels = settings.fine_voxels
        self.grid = CubeGrid(voxels, settings.volume.side_mm / voxels)
        self.copier = Copier(self.augment, settings.xray, self.names, self.grid, pixels, device)
        self.fine = lru_cache(max(KEPT_BYTES // (3 * voxels**3), 1))(self._fine)

    def __len__(self) -> int:
        return len(self.scans)

    def get(self, step: int, example: int, number: int) -> Patient:
        """Patient `number` as the example of a step sees it; example: counted over the whole batch."""
        generator = np.random.default_rng((self.settings.train.seed, step, example, AUGMENT))
        if not self.augment.share or generator.random() >= self.augment.share:
            return Patient(self.xrays[number], self.matrices, dict(self.stacks[number]))
        return self._changed(generator, number)

    def _changed(self, generator: np.random.Generator, number: int) -> Patient:
        copy = self.copier.copy(generator, *self.fine(number))
        images = dict(zip(self.names, copy.xrays.cpu().numpy(), strict=True))
        views = Views(self.grid, copy.exposures)
        volume = averaged(copy.hu, self.size).cpu().numpy()
        return Patient(
            torch.from_numpy(as_seen(images, self.names, self.pixels)),
            torch.from_numpy(projection_matrices(views, self.names)),
            {plane: to_plane(volume, plane) for plane in PLANES},
        )

    def _fine(self, number: int) -> tuple[NDArray[np.int16], NDArray[np.bool_] | None]:
        """HU on the grid of copies, and which voxels are the patient."""
        cube = read_cube(layout.volume(self.data, self.scans[number]))
        hu = np.rint(area_resample(cube.array, self.grid.size)).astype(np.int16)
        return hu, body(hu, self.grid.spacing_mm) if self.augment.couch else None


def averaged(hu: Tensor, size: int) -> Tensor:
    """HU (z, y, x) on a grid of `size` voxels a side that divides its own, by means over each new voxel."""
    return interpolate(hu[None, None], size=(size,) * 3, mode="area")[0, 0]
