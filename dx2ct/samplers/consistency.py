"""Data consistency: the smallest change of a volume that makes its line integrals match the X-rays."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from drr.attenuation import AttenuationModel, PLASTIMATCH
from drr.projector import Projector
from dx2ct.config import ConsistencySettings
from dx2ct.data.window import LOW_HU, WIDTH_HU

Array = NDArray[np.float32]
Linear = Callable[[Array], Array]
RAYS = 2  # along each side of a detector pixel: a pixel's value is the mean over its area, as the X-ray's is


def residual(projector: Projector, hu: Array, integrals: Array, attenuation: AttenuationModel = PLASTIMATCH) -> float:
    """Relative error of the reprojection: |A mu(hu) - integrals| / |integrals|, over all pixels of all views."""
    reprojected = projector(attenuation(hu).astype(np.float32))
    return float(np.linalg.norm(reprojected - integrals) / np.linalg.norm(integrals))


def consistent(
    projector: Projector,
    hu: Array,
    integrals: Array,
    options: ConsistencySettings,
    attenuation: AttenuationModel = PLASTIMATCH,
    counts: NDArray[np.bool_] | None = None,
) -> Array:
    """The volume, (z, y, x) HU, moved towards the X-rays by `options.iterations` of CGLS (Hestenes and Stiefel 1952).

    projector: from the volume's grid to the X-rays, with RAYS rays a side. integrals: the X-rays, (view, row, column).
    Voxels at or below the model's threshold have no attenuation and stay as they are; the others stay above it. The
    unknown is a field that a Gaussian of deviation `options.smooth_mm` smooths and that counts in the others alone.
    CGLS from 0 with few iterations gives a small change, spread along the rays; `options.weight` of it is added.
    counts: False for pixels that say nothing, shaped as the X-rays; None: all of them count.
    """
    counting = np.float32(1) if counts is None else counts.astype(np.float32)
    attenuating = hu > attenuation.threshold
    sigma = options.smooth_mm / projector.grid.spacing_mm[0]

    def masked(field: Array) -> Array:
        smooth: Array = gaussian_filter(field, sigma, mode="constant") if sigma else field
        return np.asarray(np.where(attenuating, smooth, 0), np.float32)

    def transposed(images: Array) -> Array:
        back = np.where(attenuating, projector.T(counting * images), 0).astype(np.float32)
        return np.asarray(gaussian_filter(back, sigma, mode="constant") if sigma else back)

    error = counting * (integrals - projector(attenuation(hu).astype(np.float32)))
    change = _cgls(lambda field: counting * projector(masked(field)), transposed, error, options.iterations)
    moved = hu + np.float32(options.weight / attenuation.slope) * masked(change)
    lowest = np.where(attenuating, np.float32(attenuation.threshold + 1), hu)
    return np.asarray(np.clip(np.maximum(moved, lowest), LOW_HU, LOW_HU + WIDTH_HU), np.float32)


def _cgls(forward: Linear, adjoint: Linear, target: Array, iterations: int) -> Array:
    """Least squares of forward(z) = target from z = 0; ends early where nothing is left to gain."""
    left = target.astype(np.float32)
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
