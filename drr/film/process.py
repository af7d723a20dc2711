"""What a radiography system makes of its detector's signal: a picture with bone bright."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.film.expose import is_patient
from drr.film.look import Processing

Images = NDArray[np.float32]
_SMALL = 0.02  # of the span: details below it are amplified alike (Vuylsteke and Schoeters, crossover)
_COARSEST = 8  # pixels a side


def pictured(signal: Images, inside: NDArray[np.bool_], how: Processing) -> Images:
    """Grey in [0, 1], (row, column), bone bright.

    signal: as a share of the open beam's. inside: the field that the system recognises. Its percentiles `span`, without
    direct radiation, become 0 and 1 before the sigmoid.
    """
    least = float(np.finfo(np.float32).tiny)
    values = -np.log(np.maximum(signal, 1e-6)) if how.scale == "log" else -np.sqrt(np.maximum(signal, least))
    patient = is_patient(signal, inside)
    values = _spanned(values, patient, (1.0, 99.0))
    if how.detail < 1 or how.smooth > 0:
        values = enhanced(np.clip(values, -1, 2), how.detail, how.smooth)
    return through_sigmoid(_spanned(values, patient, how.span), how.centre, how.slope)


def enhanced(image: Images, detail: float, smooth: float) -> Images:
    """Details of every size through |d|^detail, so that small contrasts gain; `smooth` of the coarsest goes."""
    layers = []
    while min(image.shape) >= 2 * _COARSEST:
        coarse = cv2.pyrDown(image)
        layers.append(image - cv2.pyrUp(coarse, dstsize=image.shape[::-1]))
        image = coarse
    image = image * (1 - smooth)
    for layer in reversed(layers):
        gain = np.maximum(np.abs(layer), _SMALL) ** (detail - 1)
        image = cv2.pyrUp(image, dstsize=layer.shape[::-1]) + gain * layer
    return np.asarray(image, np.float32)


def through_sigmoid(span: Images, centre: float, slope: float) -> Images:
    """The logistic curve, brought to 0 at a span of 0 and to 1 at 1, and clipped there; slope 0: the straight line."""
    if slope == 0:
        return np.clip(span, 0, 1)
    low, high = (1 / (1 + np.exp(-slope * (end - centre))) for end in (0.0, 1.0))
    curve = 1 / (1 + np.exp(-slope * (np.clip(span, -1, 2) - np.float32(centre))))
    return np.asarray(np.clip((curve - low) / (high - low), 0, 1), np.float32)


def stored(picture: Images, how: Processing) -> NDArray[np.uint16]:
    """Whole grey values of `bits`, (row, column), inverted for MONOCHROME1."""
    shown = 1 - picture if how.photometric == "MONOCHROME1" else picture
    return np.asarray(np.rint(shown * (2**how.bits - 1)), np.uint16)


def _spanned(values: Images, where: NDArray[np.bool_], span: tuple[float, float]) -> Images:
    low, high = (float(value) for value in np.percentile(values[where], span))
    return np.asarray((values - low) / max(high - low, 1e-6), np.float32)
