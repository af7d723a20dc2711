"""A changed copy of a scan and its X-rays: all parts of train.augment in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.attenuation import named
from drr.geometry import View
from drr.projector import Projector
from drr.volume import AIR_HU
from dx2ct.config import XraySettings
from dx2ct.config.augment import AugmentSettings
from dx2ct.data.augment.exposure import draw_exposures
from dx2ct.data.augment.surroundings import add_arms, add_couch, cut_circle, cut_height
from dx2ct.data.augment.tissue import draw_curve, through
from dx2ct.data.augment.warp import draw_warp, warped
from dx2ct.data.grid import CubeGrid

RAYS = 2  # along each side of a pixel, as the detector's own smaller pixels are averaged


@dataclass(frozen=True, eq=False)
class Copy:
    """hu: whole numbers (z, y, x) on the fine grid; xrays: line integrals (view, row, column).

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

    def copy(self, generator: np.random.Generator, hu: NDArray[np.int16], body: NDArray[np.bool_] | None) -> Copy:
        """A copy of a scan on the grid; body: which voxels are the patient, None where `couch` is 0."""
        changed = self.changed(generator, hu, body)
        exposures = draw_exposures(generator, self.settings.exposure, self.xray, self.names, self.pixels)
        xrays = rendered(changed, self.grid, list(exposures.values()), self.xray)
        share = self.settings.noise * generator.random()
        noise = torch.from_numpy(generator.standard_normal(tuple(xrays.shape), np.float32)).to(self.device)
        return Copy(changed, xrays + share * xrays.amax(dim=(1, 2), keepdim=True) * noise, exposures)

    def changed(self, generator: np.random.Generator, hu: NDArray[np.int16], body: NDArray[np.bool_] | None) -> Tensor:
        """Whole HU (z, y, x) on the device: tissue first, then the warp, then what lies around the patient."""
        settings, side = self.settings, self.grid.side_mm
        bare = generator.random() < settings.couch
        couch, arms, circle, height = generator.random(4) < (0.5, settings.arms, *(settings.field_of_view,) * 2)
        curved = through(draw_curve(generator, settings.tissue), hu)
        if bare and body is not None:
            curved = np.where(body, curved, np.float32(AIR_HU))
        points = draw_warp(generator, settings, side).points(self.grid.size, self.device)
        new = warped(torch.from_numpy(curved).to(self.device), points)
        if bare and couch:
            new = add_couch(generator, new, side)
        if arms:
            new = add_arms(generator, new, side)
        if circle:
            new = cut_circle(generator, new, side)
        return (cut_height(generator, new) if height else new).round()


def rendered(hu: Tensor, grid: CubeGrid, views: Sequence[View], xray: XraySettings) -> Tensor:
    """Line integrals (view, row, column) of whole HU (z, y, x) on a grid, on the tensor's device, as of stage xray."""
    law, backend = named(xray.attenuation), "cuda" if hu.is_cuda else "cpu"
    projector = Projector(grid.volume(), views, rays=RAYS, backend=backend, threads=1)
    if not hu.is_cuda:
        return torch.from_numpy(projector.render(hu.numpy().astype(np.int16), law))
    table = torch.from_numpy(np.asarray(law(np.arange(-(2**15), 2**15)), np.float32)).to(hu.device)
    images: Tensor = projector(table[hu.long() + 2**15])
    return images
