"""What fills the lungs of the ill."""

import numpy as np

from dx2ct.data.sources.phantom.anatomy.canvas import Canvas, ellipsoid
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.soft_tissue import FAR
from dx2ct.data.sources.phantom.anatomy.surfaces import lung

WATER = 8.0


def paint_disease(canvas: Canvas, anatomy: Anatomy) -> None:
    """Consolidations and masses within the lungs, then the fluid that gathers behind one of them."""
    disease = anatomy.variety.disease
    for centre, radii, hu in disease.patches:
        low, high = np.subtract(centre, radii), np.add(centre, radii)
        side = 1 if centre[0] > 0 else -1
        window = canvas.window(low, high)
        grid = canvas.grid(window)
        if canvas.hu[window].size:
            inside = np.maximum(lung(anatomy, side, *grid), ellipsoid(*grid, centre, radii))
            canvas.blend(window, inside, hu)
    if disease.effusion_side:
        _paint_effusion(canvas, anatomy)


def _paint_effusion(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fluid with a level: the patient lies, so it is behind, and highest at the base."""
    disease, width = anatomy.variety.disease, anatomy.cavity_half_width
    low, high = sorted((0.0, disease.effusion_side * width))
    window = canvas.window((low, -FAR, anatomy.base - 25), (high, FAR, anatomy.apex))
    x, y, z = canvas.grid(window)
    surface_y = anatomy.front + 2 * anatomy.cavity_half_depth * (1 - disease.effusion)
    level = surface_y - y + np.float32(0.12) * (z - anatomy.base)
    canvas.blend(window, np.maximum(lung(anatomy, disease.effusion_side, x, y, z), level), WATER)
