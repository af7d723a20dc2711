"""What a training sees: rendered X-rays of scans, of changed copies of them, and films; pairs they are not."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config.augment import AugmentSettings
from dx2ct.config.style import StyleRunSettings
from dx2ct.data.augment.copies import Copier
from dx2ct.data.augment.surroundings import body
from dx2ct.data.grid import CubeGrid
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import read_xrays, stretched
from dx2ct.data.tables import read_table

COPIES = 2  # what the generator of changed copies is told beside seed, scan and number
LEVELS = 65535
Image = NDArray[np.float32]


class Films(NamedTuple):
    """Films of a view in [0, 1]: images (film, row, column) uint16 on the disk, and which of them are of which part."""

    images: NDArray[np.uint16]
    parts: dict[str, list[int]]

    def get(self, row: int) -> Image:
        """One of them."""
        return np.asarray(self.images[row] / LEVELS, np.float32)


def read_films(data: Path, view: str, pixels: int) -> Films:
    """What `dx2ct style-films` wrote; InputError where it is missing, damaged, or of another size."""
    path, table = layout.films(data, view), layout.films_table(data, view)
    remedy = "run dx2ct style-films again"
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no films ({error}): {remedy}") from None
    if images.ndim != 3 or images.shape[1:] != (pixels, pixels):
        raise InputError(f"{path}: films of {images.shape[1:]} pixels, not {pixels} a side: {remedy}")
    parts: dict[str, list[int]] = {"train": [], "held_out": []}
    for row in read_table(table, remedy, "\t", ("film", "row", "part")):
        if row["part"]:
            parts[row["part"]].append(int(row["row"]))
    return Films(images, parts)


class Synthetic:
    """Rendered X-rays of scans in [0, 1]: number 0 of a scan is its own, the others are those of changed copies.

    A copy is decided by seed, scan and number, and made when it is first asked for.
    """

    def __init__(self, settings: StyleRunSettings, scans: Sequence[str], data: Path) -> None:
        self.settings, self.scans, self.data = settings, list(scans), data
        views = (settings.view,)
        self.own = [stretched(read_xrays(data, scan, views)[settings.view], settings.pixels) for scan in scans]
        size = min(settings.volume.size, settings.pixels)
        grid = CubeGrid(size, settings.volume.side_mm / size)
        self.copier = Copier(AugmentSettings(), settings.xray, views, grid, settings.pixels, torch.device("cpu"))
        self.get = cache(self._get)
        self.voxels = cache(self._voxels)

    def _get(self, scan: int, number: int) -> Image:
        """One X-ray."""
        if number == 0:
            return self.own[scan]
        generator = np.random.default_rng((self.settings.train.seed, scan, number, COPIES))
        copy = self.copier.copy(generator, *self.voxels(scan))
        return stretched(copy.xrays[0].numpy(), self.settings.pixels)

    def _voxels(self, scan: int) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """HU on the grid of copies, and which voxels are the patient."""
        grid = self.copier.grid
        cube = read_cube(layout.volume(self.data, self.scans[scan]))
        hu = np.rint(area_resample(cube.array, grid.size)).astype(np.int16)
        return hu, body(hu, grid.spacing_mm)


class Pairs:
    """An X-ray and a film of each example of a step, drawn by (seed, step) alone."""

    def __init__(self, settings: StyleRunSettings, synthetic: Synthetic, films: Films) -> None:
        self.train, self.synthetic, self.films = settings.train, synthetic, films

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """X-rays and films, each (n, 1, N, N) in [-1, 1]. Nothing is mirrored: the heart stays on its side."""
        chance = np.random.default_rng((self.train.seed, step))
        scans = chance.integers(len(self.synthetic.scans), size=self.train.batch)
        numbers = chance.integers(self.train.copies + 1, size=self.train.batch)
        rows = chance.choice(self.films.parts["train"], self.train.batch)
        xrays = [self.synthetic.get(int(scan), int(number)) for scan, number in zip(scans, numbers, strict=True)]
        return as_tensor(xrays), as_tensor([self.films.get(int(row)) for row in rows])


def as_tensor(images: Sequence[Image]) -> Tensor:
    """Images in [0, 1] as (n, 1, N, N) in [-1, 1]."""
    return torch.from_numpy(np.stack(images))[:, None] * 2 - 1
