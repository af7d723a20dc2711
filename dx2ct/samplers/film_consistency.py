"""Data consistency with films, whose grey has no unit: a rising curve for each film says what its grey means."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import binary_erosion
from scipy.optimize import isotonic_regression

from drr.attenuation import AttenuationModel, PLASTIMATCH
from drr.projector import Projector
from dx2ct.config import ConsistencySettings
from dx2ct.samplers.consistency import consistent

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
ROUNDS = 2  # of curve and change: a curve is as wrong as the volume that it is fitted to
_KNOTS = 24  # of a curve, each the mean of as many pixels
_LEAST = 10  # pixels to a knot


def film_consistent(
    projector: Projector,
    hu: Array,
    films: Sequence[Array],
    options: ConsistencySettings,
    attenuation: AttenuationModel = PLASTIMATCH,
) -> Array:
    """The volume, (z, y, x) HU, moved towards films of any exposure and any grey scale that rises with attenuation.

    films: of each view of the projector (row, column) in [0, 1], bone bright. Grey at 0 and at 1 was clipped and says
    nothing. In each of ROUNDS, films become line integrals by `curve_to` of the volume's own X-rays, then
    `consistent` takes `options.iterations` of CGLS. What a curve absorbs, the films cannot tell: a patient who is
    denser everywhere.
    """
    counts = np.stack([_tells(film) for film in films])
    for _ in range(ROUNDS):
        xrays = projector(attenuation(hu).astype(np.float32))
        integrals = np.stack([curve_to(xray, *pair) for xray, *pair in zip(xrays, films, counts, strict=True)])
        hu = consistent(projector, hu, integrals, options, attenuation, counts)
    return hu


def curve_to(xray: Array, film: Array, counts: Mask) -> Array:
    """The film as line integrals: f(grey), with f the rising curve that comes nearest to `xray` where `counts`.

    Least squares over the means of equally many pixels (isotonic regression, Barlow et al. 1972), with a monotone cubic
    between them (PCHIP, Fritsch and Carlson 1980). The X-ray itself where too few pixels count.
    """
    grey, values = film[counts], xray[counts]
    order = np.argsort(grey, kind="stable")
    knots = min(_KNOTS, len(order) // _LEAST)
    if knots < 2:
        return xray
    parts = np.array_split(order, knots)
    at = np.array([grey[part].mean(dtype=float) for part in parts])
    fitted = isotonic_regression([values[part].mean(dtype=float) for part in parts], weights=[*map(len, parts)]).x
    at, first = np.unique(at, return_index=True)
    if len(at) < 2:
        return xray
    curve = PchipInterpolator(at, fitted[first])
    return np.asarray(curve(np.clip(film, at[0], at[-1])), np.float32)


def _tells(film: Array) -> Mask:
    """Pixels whose grey was not clipped, and no neighbour's: where an image ends, a pixel may be half of it."""
    return np.asarray(binary_erosion((film > 0) & (film < 1), np.ones((3, 3)), border_value=1))
