"""What lies below the diaphragm."""

import numpy as np

from dx2ct.data.sources.phantom.anatomy.canvas import Canvas, ellipsoid
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.soft_tissue import AIR, DIAPHRAGM_MM, FAR, MUSCLE
from dx2ct.data.sources.phantom.anatomy.surfaces import below_diaphragm, cavity

LIVER, SPLEEN, KIDNEY, BOWEL = 60.0, 50.0, 34.0, 30.0


def paint_abdomen(canvas: Canvas, anatomy: Anatomy) -> None:
    """Liver on the right, stomach with its gas and spleen on the left, kidneys behind."""
    half_width, half_depth, base = anatomy.cavity_half_width, anatomy.cavity_half_depth, anatomy.base
    window = canvas.window((-half_width, -FAR, -FAR), (half_width, FAR, base + anatomy.dome_right))
    grid = canvas.grid(window)
    room = np.maximum(cavity(anatomy, *grid), below_diaphragm(anatomy, *grid)) + DIAPHRAGM_MM + 1

    right, left = base + anatomy.dome_right, base + anatomy.dome_left
    size = anatomy.variety.abdomen.liver
    lobe = ellipsoid(
        *grid, (-0.5 * half_width, -8, right - 82), (0.78 * size * half_width, 1.0 * size * half_depth, 96 * size)
    )
    left_lobe = ellipsoid(*grid, (12, -0.5 * half_depth, left - 34), (72, 0.44 * half_depth, 40))
    canvas.blend(window, np.maximum(np.minimum(lobe, left_lobe), room), LIVER + 0.25 * (anatomy.blood_hu - 40))
    spleen = ellipsoid(*grid, (0.74 * half_width, 0.42 * half_depth, left - 46), (34, 46, 46))
    canvas.blend(window, np.maximum(spleen, room), SPLEEN + 0.35 * (anatomy.blood_hu - 40))
    centre, size = (0.42 * half_width, -6, left - 10 - anatomy.gastric_gas), anatomy.gastric_gas + 8
    stomach = np.maximum(ellipsoid(*grid, centre, (1.15 * size, 1.2 * size, size + 6)), room)
    canvas.blend(window, stomach, MUSCLE)
    fluid_level = centre[1] + 0.25 * size  # a supine patient's gas lies in front
    canvas.blend(window, stomach + 4, np.where(grid[1] < fluid_level, AIR, BOWEL))
    _paint_bowel(canvas, anatomy)
    for side in (-1, 1):
        canvas.ellipsoid((side * 62, 0.5 * half_depth, base - 34 - 8 * (side < 0)), (26, 22, 50), KIDNEY)


def _paint_bowel(canvas: Canvas, anatomy: Anatomy) -> None:
    """Loops of bowel before the spine, below liver and stomach; gas rises to the front of some."""
    abdomen = anatomy.variety.abdomen
    rng = np.random.default_rng([abdomen.seed, 2])
    half_width, half_depth = anatomy.cavity_half_width, anatomy.cavity_half_depth
    for _ in range(abdomen.loops):
        place = rng.uniform((-0.85, -0.75, -150), (0.85, 0.35, -10)) * (half_width, half_depth, 1)
        radii = rng.uniform((16, 12, 12), (42, 26, 24))
        hu, gas = rng.uniform(5, 60), rng.random() < abdomen.gas_share
        place[2] += anatomy.base + anatomy.dome_left
        canvas.ellipsoid(place, radii, hu)
        if gas:
            canvas.ellipsoid(place - (0, 0.2 * radii[1], 0), 0.8 * radii, rng.uniform(-950, -300))
