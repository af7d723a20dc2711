"""The table that a patient lies on."""

import numpy as np

from dx2ct.data.sources.phantom.anatomy.canvas import Canvas
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.soft_tissue import FAR


def paint_couch(canvas: Canvas, anatomy: Anatomy) -> None:
    """A couch of carbon fibre over foam, centred in the scanner, with a thin mat; behind the patient."""
    couch = anatomy.variety.couch
    if couch is None:
        return
    back = anatomy.half_depth
    window = canvas.window((-FAR, back - 60, -FAR), (FAR, back + 16 + couch.edge + couch.hull, FAR))
    x, y, z = canvas.grid(window)
    x = x + np.float32(anatomy.shift_mm[0])  # the couch stays where the patient shifts
    sag, sides = x**2 / couch.curve, np.abs(x) - 215
    top = back + couch.gap - sag
    bottom = back + couch.edge + couch.hull * np.sqrt(np.maximum(1 - (x / 215) ** 2, 0)) - sag
    shell = np.maximum(np.maximum(top - y, y - bottom), sides)
    mat = np.maximum(np.maximum(top - couch.mat - y, y - top), sides)
    parts = ((mat, couch.mat_hu), (shell, couch.wall_hu), (shell + couch.wall, couch.foam_hu))
    for surface, hu in parts:
        canvas.blend(window, surface + 0 * z, hu)
