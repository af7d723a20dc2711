"""The part of the detector that the collimator leaves, with the soft edge of a focal spot that is no point."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from drr.film.look import Collimation

Images = NDArray[np.float32]


def open_share(shape: tuple[int, int], pixel_mm: tuple[float, float], collimation: Collimation) -> Images:
    """The share of the beam that reaches each pixel, (row, column), from `leak` to 1.

    penumbra_mm is the standard deviation of an edge. Where a margin is 0 its edge lies beyond the image.
    """
    rows, columns = shape
    y = ((np.arange(rows) + 0.5) / rows - 0.5)[:, None] * rows * pixel_mm[0]
    x = ((np.arange(columns) + 0.5) / columns - 0.5) * columns * pixel_mm[1]
    cos, sin = math.cos(math.radians(collimation.turn_deg)), math.sin(math.radians(collimation.turn_deg))
    across, down = x * cos + y * sin, y * cos - x * sin
    left, top, right, bottom = collimation.margins
    inside = np.ones(shape)
    for place, side, before, after in (
        (across, columns * pixel_mm[1], left, right),
        (down, rows * pixel_mm[0], top, bottom),
    ):
        if before:
            inside = inside * ndtr((place - (before - 0.5) * side) / collimation.penumbra_mm)
        if after:
            inside = inside * ndtr(((0.5 - after) * side - place) / collimation.penumbra_mm)
    return np.asarray(collimation.leak + (1 - collimation.leak) * inside, np.float32)
