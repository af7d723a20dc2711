"""A changed copy of a scan and its X-rays: all parts of train.augment in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.attenuation import named
from drr.geometry import View
from drr.volume import AIR_HU
from dx2ct.config import XraySettings
from dx2ct.config.augment import AugmentSettings
from dx2ct.data.augment.between import moved
from dx2ct.data.augment.exposure import draw_exposures
from dx2ct.data.augment.films import films_seen, lengths_of
from dx2ct.data.augment.render import rendered
from dx2ct.data.augment.surroundings import add_arms, add_couch, cut_circle, cut_height
from dx2ct.data.augment.tissue import draw_curve, through
from dx2ct.data.augment.warp import draw_warp, warped
from dx2ct.data.grid import CubeGrid


@dataclass(frozen=True, eq=False)
class Copy:
    """hu: whole numbers (z, y, x) on the fine grid; xrays: line integrals (view, row, column), or films in [0, 1].

    exposures: where they were taken, around the cube's centre.
    """

    hu: Tensor
    xrays: Tensor
    exposures: dict[str, View]


@dataclass(frozen=True)
class Copier:
    """Makes copies on a device. grid: of the fine volume, around the origin; pixels: of each X-ray, a side."""

    settings: AugmentSettings
    xray: XraySettings
    names: Sequence[str]
    grid: CubeGrid
    pixels: int
    device: torch.device

    def copy(
        self,
        generator: np.random.Generator,
        hu: NDArray[np.int16],
        body: NDArray[np.bool_] | None,
        looks: np.random.Generator | None = None,
        shape: Tensor | None = None,
    ) -> Copy:
        """A copy of a scan on the grid; body: which voxels are the patient, None where `couch` is 0.

        looks: what draws the looks of its X-rays as films; None: they are line integrals. shape: moves (3, z, y, x)
        towards another patient's shape, as `shape_field` has them.
        """
        changed = self.changed(generator, hu, body, shape)
        exposures = draw_exposures(generator, self.settings.exposure, self.xray, self.names, self.pixels)
        if looks is not None:
            lengths = lengths_of(changed, self.grid, list(exposures.values()))
            films = films_seen(looks, self.settings.film, lengths, exposures)
            return Copy(changed, torch.from_numpy(films), exposures)
        xrays = rendered(changed, self.grid, list(exposures.values()), named(self.xray.attenuation))
        share = self.settings.noise * generator.random()
        noise = torch.from_numpy(generator.standard_normal(tuple(xrays.shape), np.float32)).to(self.device)
        return Copy(changed, xrays + share * xrays.amax(dim=(1, 2), keepdim=True) * noise, exposures)

    def changed(
        self,
        generator: np.random.Generator,
        hu: NDArray[np.int16],
        body: NDArray[np.bool_] | None,
        shape: Tensor | None = None,
    ) -> Tensor:
        """Whole HU (z, y, x) on the device: tissue first, then warp and shape, then what lies around the patient."""
        settings, side = self.settings, self.grid.side_mm
        bare = generator.random() < settings.couch
        couch, arms, circle, height = generator.random(4) < (0.5, settings.arms, *(settings.field_of_view,) * 2)
        curved = through(draw_curve(generator, settings.tissue), hu)
        if bare and body is not None:
            curved = np.where(body, curved, np.float32(AIR_HU))
        points = draw_warp(generator, settings, side).points(self.grid.size, self.device)
        if shape is not None:
            points = moved(points, shape)
        new = warped(torch.from_numpy(curved).to(self.device), points)
        if bare and couch:
            new = add_couch(generator, new, side)
        if arms:
            new = add_arms(generator, new, side)
        if circle:
            new = cut_circle(generator, new, side)
        return (cut_height(generator, new) if height else new).round()
