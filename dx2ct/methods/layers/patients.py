"""The patients of a training step: a prepared scan, or a changed copy of it or of a phantom, with X-rays or films."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from drr.errors import InputError
from drr.geometry import View
from dx2ct import layout
from dx2ct.config import LearnedSettings
from dx2ct.config.data import VARIED_VERSION
from dx2ct.data.augment.between import FIELD_BYTES, shape_field
from dx2ct.data.augment.copies import Copier
from dx2ct.data.augment.films import films_seen, lengths_of
from dx2ct.data.augment.surroundings import body
from dx2ct.data.grid import CubeGrid
from dx2ct.data.planes import to_plane
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import as_seen, read_stack, read_xrays
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.geometry import projection_matrices, Views
from dx2ct.layout import PLANES
from dx2ct.methods.contract import training_views

Voxels = NDArray[np.int16]
Bits = NDArray[np.uint8]
# What the generators of changed copies, of films and of shapes are told beside seed, step and example.
AUGMENT, FILM, SHAPE = 2, 3, 4
KEPT_BYTES = 2**31  # of fine volumes in memory, of scans and of phantoms; more are read or drawn again


@dataclass(frozen=True, eq=False)
class Patient:
    """xrays (view, H, W) in [0, 1]; stacks: HU by plane, (slice, row, column).

    exposures: of the views around the cube's centre, matrices (view, 3, 4) what networks get of them
    (dx2ct/geometry.py).
    """

    xrays: Tensor
    matrices: Tensor
    stacks: dict[str, NDArray[np.generic]]
    exposures: Mapping[str, View]


class Patients:
    """Scans in the order of `scans`; of each step some are changed, or filmed, by (seed, step, example) alone.

    pixels: side of the X-ray that the network sees. device: where copies are made.
    """

    def __init__(
        self, settings: LearnedSettings, pixels: int, scans: Sequence[str], data: Path, device: torch.device
    ) -> None:
        self.settings, self.pixels, self.scans, self.data = settings, pixels, scans, data
        self.augment, self.names, self.size = settings.train.augment, settings.run.views, settings.slices.size
        if self.augment.phantoms and self.augment.version != VARIED_VERSION:
            raise InputError(
                f"the settings want varied phantoms of version {self.augment.version}, this code draws version "
                f"{VARIED_VERSION}: train anew"
            )
        self.views = training_views(settings)
        self.matrices = torch.from_numpy(projection_matrices(self.views, self.names))
        self.stacks = [{plane: read_stack(data, scan, plane, self.size) for plane in PLANES} for scan in scans]
        seen = [as_seen(read_xrays(data, scan, self.names), self.names, pixels) for scan in scans]
        self.xrays = torch.from_numpy(np.stack(seen))
        voxels = settings.fine_voxels
        self.grid = CubeGrid(voxels, settings.volume.side_mm / voxels)
        self.copier = Copier(self.augment, settings.xray, self.names, self.grid, pixels, device)
        kept = lru_cache(max(int(KEPT_BYTES / (2.125 * voxels**3)), 1))
        self.fine, self.phantom = kept(self._fine), kept(self._phantom)
        self.field = lru_cache(KEPT_BYTES // FIELD_BYTES)(self._field)
        if self.augment.between and len(scans) < 2:
            raise InputError("train.augment.between: one training scan has no other to go to: add scans, or use 0")
        self.lengths = lru_cache(max(KEPT_BYTES // (8 * len(self.names) * pixels**2), 1))(self._lengths)

    def __len__(self) -> int:
        return len(self.scans)

    def get(self, step: int, example: int, number: int) -> Patient:
        """Patient `number` as the example of a step sees it; example: counted over the whole batch."""
        generator = np.random.default_rng((self.settings.train.seed, step, example, AUGMENT))
        phantom, changed = generator.random(2) < (self.augment.phantoms, self.augment.share)
        # Of its own, so that what is copied, and how, does not depend on what looks like a film.
        looks = np.random.default_rng((self.settings.train.seed, step, example, FILM))
        drawn = looks if looks.random() < self.augment.film.share else None
        if phantom:
            number = int(generator.integers(self.augment.phantom_count))
            return self._changed(generator, drawn, *self.phantom(number))
        if changed:
            return self._changed(generator, drawn, *self.fine(number), self._shape(step, example, number))
        xrays = self.xrays[number] if drawn is None else self._filmed(drawn, number)
        return Patient(xrays, self.matrices, dict(self.stacks[number]), self.views.exposures)

    def _shape(self, step: int, example: int, number: int) -> Tensor | None:
        """A random part of the way to the shape of another scan; None: the scan's own."""
        generator = np.random.default_rng((self.settings.train.seed, step, example, SHAPE))
        if generator.random() >= self.augment.between:
            return None
        other = (number + 1 + int(generator.integers(len(self) - 1))) % len(self)
        return self.field(number, other) * float(generator.random())

    def _field(self, number: int, other: int) -> Tensor:
        return shape_field(self.fine(other)[0], self.fine(number)[0])

    def _filmed(self, looks: np.random.Generator, number: int) -> Tensor:
        """A scan's own X-rays as films."""
        images = films_seen(looks, self.augment.film, self.lengths(number), self.exposures)
        return torch.from_numpy(as_seen(dict(zip(self.names, images, strict=True)), self.names, self.pixels))

    def _lengths(self, number: int) -> NDArray[np.float32]:
        """Of a scan in the training's exposures: what films are made of, (view, 2, row, column)."""
        hu = torch.from_numpy(self.fine(number)[0]).to(self.copier.device)
        return lengths_of(hu, self.grid, list(self.exposures.values()))

    @property
    def exposures(self) -> dict[str, View]:
        """The training's, of images as the network sees them."""
        return {name: self.views.exposures[name].resized(self.pixels) for name in self.names}

    def _changed(
        self,
        generator: np.random.Generator,
        looks: np.random.Generator | None,
        hu: Voxels,
        bits: Bits | None,
        shape: Tensor | None = None,
    ) -> Patient:
        patient = None if bits is None else np.unpackbits(bits).view(np.bool_).reshape(hu.shape)
        copy = self.copier.copy(generator, hu, patient, looks, shape)
        images = dict(zip(self.names, copy.xrays.cpu().numpy(), strict=True))
        views = Views(self.grid, copy.exposures)
        volume = averaged(copy.hu, self.size).cpu().numpy()
        return Patient(
            torch.from_numpy(as_seen(images, self.names, self.pixels)),
            torch.from_numpy(projection_matrices(views, self.names)),
            {plane: to_plane(volume, plane) for plane in PLANES},
            copy.exposures,
        )

    def _fine(self, number: int) -> tuple[Voxels, Bits | None]:
        """HU on the grid of copies, and which voxels are the patient, eight in a byte."""
        cube = read_cube(layout.volume(self.data, self.scans[number]))
        return self._with_body(np.rint(area_resample(cube.array, self.grid.size)).astype(np.int16))

    def _phantom(self, seed: int) -> tuple[Voxels, Bits | None]:
        """The same of a phantom."""
        return self._with_body(draw(seed, self.grid.size, self.grid.spacing_mm))

    def _with_body(self, hu: Voxels) -> tuple[Voxels, Bits | None]:
        return hu, np.packbits(body(hu, self.grid.spacing_mm)) if self.augment.couch else None


def averaged(hu: Tensor, size: int) -> Tensor:
    """HU (z, y, x) on a grid of `size` voxels a side that divides its own, by means over each new voxel."""
    return interpolate(hu[None, None], size=(size,) * 3, mode="area")[0, 0]
