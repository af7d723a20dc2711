"""One patient on one grid."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dx2ct.data.sources.phantom.anatomy.abdomen import paint_abdomen
from dx2ct.data.sources.phantom.anatomy.bones import paint_bones
from dx2ct.data.sources.phantom.anatomy.canvas import Array, Canvas
from dx2ct.data.sources.phantom.anatomy.couch import paint_couch
from dx2ct.data.sources.phantom.anatomy.disease import paint_disease
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.soft_tissue import (
    paint_airways,
    paint_body,
    paint_heart,
    paint_lungs,
    paint_nodules,
)
from dx2ct.data.sources.phantom.anatomy.vessels import paint_great_vessels, paint_lung_vessels

ORDER = (  # what is painted later hides what was painted before
    paint_body,
    paint_abdomen,
    paint_lungs,
    paint_lung_vessels,
    paint_disease,
    paint_heart,
    paint_great_vessels,
    paint_airways,
    paint_bones,
    paint_nodules,
)


def render(
    anatomy: Anatomy, x_mm: ArrayLike, y_mm: ArrayLike, z_mm: ArrayLike, finest_mm: float = 0.0
) -> NDArray[np.float32]:
    """Noise-free HU, (z, y, x) float32, at voxel centres in the scanner's LPS frame (ascending, even steps).

    finest_mm: lung vessels of a smaller radius are left out.
    """
    x, y, z = (
        np.asarray(axis, float) - shift for axis, shift in zip((x_mm, y_mm, z_mm), anatomy.shift_mm, strict=True)
    )
    canvas = Canvas(x, y, z, finest_mm)
    warp = anatomy.variety.warp
    if warp is None:
        paint_couch(canvas, anatomy)
        return _painted(canvas, anatomy)
    patient = warp.bend(_painted(canvas, anatomy), *canvas.axes)
    couch = Canvas(x, y, z)  # it does not bend with the patient
    paint_couch(couch, anatomy)
    return np.maximum(patient, couch.hu)


def _painted(canvas: Canvas, anatomy: Anatomy) -> Array:
    for paint in ORDER:
        paint(canvas, anatomy)
    return canvas.hu
