"""Consistency with the X-rays: the least smooth change of a volume that gives it the line integrals of the input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from drr.attenuation import AttenuationModel, IDENTITY, PLASTIMATCH
from drr.caster import backproject, render
from drr.geometry import View
from drr.volume import Volume
from dx2ct.config import ConsistencySettings
from dx2ct.data.window import LOW_HU, WIDTH_HU

Array = NDArray[np.float32]
Linear = Callable[[Array], Array]
RAYS = 2  # along each side of a detector pixel: a pixel's value is the mean over its area, as the input's is


@dataclass(frozen=True, eq=False)
class Projector:
    """Line integrals of a volume on the training grid as images of `pixels` x `pixels`, and the adjoint.

    grid: where the volume lies, (z, y, x). views: the exposures, at any number of pixels.
    """

    grid: Volume
    views: Sequence[View]
    pixels: int
    threads: int = 0

    def forward(self, mu: Array) -> Array:
        """Attenuation in 1/mm to (view, pixels, pixels), dimensionless."""
        place = Volume(mu, self.grid.spacing_mm, self.grid.origin_mm)
        fine = render(place, self._fine(), attenuation=IDENTITY, threads=self.threads)
        return np.asarray(fine.reshape(len(fine), self.pixels, RAYS, self.pixels, RAYS).mean(axis=(2, 4)))

    def adjoint(self, images: Array) -> Array:
        """The transposed operator: (view, pixels, pixels) to (z, y, x)."""
        fine = np.repeat(np.repeat(images, RAYS, axis=1), RAYS, axis=2) / np.float32(RAYS**2)
        return backproject(fine, self._fine(), self.grid, threads=self.threads)

    def _fine(self) -> list[View]:
        return [view.resized(RAYS * self.pixels) for view in self.views]


def residual(projector: Projector, hu: Array, integrals: Array, model: AttenuationModel = PLASTIMATCH) -> float:
    """Relative error of the reprojection: |A mu(hu) - integrals| / |integrals|, over all pixels of all views."""
    said = projector.forward(model(hu).astype(np.float32))
    return float(np.linalg.norm(said - integrals) / np.linalg.norm(integrals))


def consistent(
    projector: Projector, hu: Array, integrals: Array, how: ConsistencySettings, model: AttenuationModel = PLASTIMATCH
) -> Array:
    """The volume, (z, y, x) HU, moved towards the X-rays by `how.iterations` of CGLS (Hestenes and Stiefel 1952).

    The model takes air out, so only voxels above its threshold can answer, and they stay above it: where
    the X-rays saw nothing nothing is put. The unknown is a smooth field (`how.smooth_mm`, a Gaussian's deviation)
    of which those voxels take part. A start at 0 and few iterations give the change of least size, which lies along the
    rays as evenly as they allow. `how.weight` of it is added.
    """
    attenuating = hu > model.threshold
    sigma = how.smooth_mm / projector.grid.spacing_mm[0]

    def masked(field: Array) -> Array:
        smooth: Array = gaussian_filter(field, sigma, mode="constant") if sigma else field
        return np.asarray(np.where(attenuating, smooth, 0), np.float32)

    def transposed(images: Array) -> Array:
        back = np.where(attenuating, projector.adjoint(images), 0).astype(np.float32)
        return np.asarray(gaussian_filter(back, sigma, mode="constant") if sigma else back)

    error = integrals - projector.forward(model(hu).astype(np.float32))
    change = _cgls(lambda field: projector.forward(masked(field)), transposed, error, how.iterations)
    moved = hu + np.float32(how.weight / model.slope) * masked(change)
    lowest = np.where(attenuating, np.float32(model.threshold + 1), hu)
    return np.asarray(np.clip(np.maximum(moved, lowest), LOW_HU, LOW_HU + WIDTH_HU), np.float32)


def _cgls(forward: Linear, adjoint: Linear, wanted: Array, iterations: int) -> Array:
    """Least squares of forward(z) = wanted from z = 0; ends early where nothing is left to gain."""
    left = wanted.astype(np.float32)
    gradient = adjoint(left)
    direction, solution = gradient, np.zeros_like(gradient)
    size = first = float(np.vdot(gradient, gradient))
    for _ in range(iterations):
        if size <= 1e-12 * first:
            break
        along = forward(direction)
        step = np.float32(size / float(np.vdot(along, along)))
        solution = solution + step * direction
        left = left - step * along
        gradient = adjoint(left)
        size, before = float(np.vdot(gradient, gradient)), size
        direction = gradient + np.float32(size / before) * direction
    return solution
