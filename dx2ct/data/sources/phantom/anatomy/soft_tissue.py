"""The painting of everything that is neither bone nor vessel, from the skin inwards."""

from functools import partial

import numpy as np

from dx2ct.data.sources.phantom.anatomy.canvas import Array, Canvas, smooth_min
from dx2ct.data.sources.phantom.anatomy.limbs import limbs_surface
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.surfaces import (
    below_diaphragm,
    body,
    breast,
    cavity,
    heart,
    heart_parts,
    lung,
    mediastinum,
    oriented_ellipsoid,
    profile,
    spine_centre,
)

FAT, MUSCLE, SKIN, GLAND = -100.0, 52.0, 20.0, -35.0
AIR, CLOTH = -990.0, -750.0
DIAPHRAGM_MM = 4
FAR = 1e4  # beyond any scan


def paint_body(canvas: Canvas, anatomy: Anatomy) -> None:
    """Skin, fat and breasts under it, muscle down to the ribs; in the cavity fat, and the diaphragm."""
    window = canvas.window((-FAR, -FAR, -FAR), (FAR, FAR, FAR))
    grid = canvas.grid(window)
    trunk = skin = body(anatomy, *grid)
    sides = (-1, 1) if anatomy.female else ()
    for side in sides:
        skin = smooth_min(skin, breast(anatomy, side, *grid), 14)
    limbs = anatomy.variety.limbs
    if limbs is not None:
        flesh = limbs_surface(anatomy, limbs, *grid)
        skin = smooth_min(skin, flesh, 24)
    if anatomy.variety.cloth:
        canvas.blend(window, skin - anatomy.variety.cloth, CLOTH)
    canvas.blend(window, skin, SKIN)
    canvas.blend(window, skin + 2, FAT)
    for side in sides:
        gland = np.maximum(breast(anatomy, side, *grid, inset=9), trunk + 0.5 * anatomy.fat)
        canvas.blend(window, gland, GLAND)
    # Fat is thickest at the flanks; around the spine and over the sternum the muscle reaches further out.
    across = np.abs(grid[0]) / anatomy.half_width
    fat = (0.68 * anatomy.fat + 2) * profile(across, (0, 0.3, 0.8, 1), (0.9, 1.0, 1.2, 1.45))
    muscle = trunk + fat
    if limbs is not None:
        muscle = smooth_min(muscle, flesh + 0.6 * anatomy.fat + 3, 16)
    canvas.blend(window, muscle, MUSCLE)
    _paint_cavity(canvas, anatomy)
    for side in (-1, 1):  # the armpit is full of fat
        centre = (side * (0.8 * anatomy.cavity_half_width + 26), 12, anatomy.apex - 66 * anatomy.tall)
        canvas.ellipsoid(centre, (20, 26, 42 * anatomy.tall), FAT)


def _paint_cavity(canvas: Canvas, anatomy: Anatomy) -> None:
    width = anatomy.cavity_half_width
    window = canvas.window((-width, anatomy.front, -FAR), (width, anatomy.half_depth, FAR))
    grid = canvas.grid(window)
    inside = cavity(anatomy, *grid)
    abdomen = np.maximum(inside, below_diaphragm(anatomy, *grid))
    variety = anatomy.variety
    filling = variety.abdomen.filling_hu
    for surface, hu in ((inside, FAT), (abdomen, MUSCLE), (abdomen + DIAPHRAGM_MM, filling)):
        canvas.blend(window, surface, hu)
    if variety.mediastinum_hu != FAT:
        middle = np.maximum(np.maximum(inside, mediastinum(anatomy, *grid)), -abdomen)
        canvas.blend(window, middle, variety.mediastinum_hu)


def paint_lungs(canvas: Canvas, anatomy: Anatomy) -> None:
    """Both lungs; blood makes the dependent, posterior part denser, and no part is quite like the next."""
    half_width = anatomy.cavity_half_width
    rng = np.random.default_rng([anatomy.detail_seed, 1])
    for side in (-1, 1):
        low, high = sorted((0.0, side * half_width))
        window = canvas.window((low, -FAR, anatomy.base - 25), (high, FAR, anatomy.apex))
        grid = canvas.grid(window)
        depth = np.clip((grid[1] - anatomy.front) / (2 * anatomy.cavity_half_depth), 0, 1)
        gradient = anatomy.variety.lung_gradient
        hu = anatomy.lung_hu - gradient / 2 + gradient * depth + _texture(grid, rng)
        canvas.blend(window, lung(anatomy, side, *grid), hu)


def _texture(grid: tuple[Array, Array, Array], rng: np.random.Generator) -> Array:
    """Smooth random HU of standard deviation 14: standing waves 15 to 60 mm long, which follow no plane."""
    total = np.float32(0)
    waves = 6
    for _ in range(waves):
        turns, phases = 2 * np.pi / rng.uniform(15, 60, 3), rng.uniform(0, 2 * np.pi, 3)
        x, y, z = (np.sin(axis * turn + phase) for axis, turn, phase in zip(grid, turns, phases, strict=True))
        total = total + (x * y * z).astype(np.float32)
    return np.asarray(total * np.float32(14 / np.sqrt(waves / 8)))


def paint_heart(canvas: Canvas, anatomy: Anatomy) -> None:
    """Pericardial fat, the chambers' muscle, the blood in them."""
    centre, reach = np.array(anatomy.heart), 95 * anatomy.heart_scale
    canvas.paint(partial(heart, anatomy), FAT + 10, centre - reach, centre + reach)
    parts = heart_parts(anatomy)
    walls = {"left ventricle": 11.0, "right ventricle": 4.0, "right atrium": 2.5, "left atrium": 2.5}
    muscle = [(part, 0.0, MUSCLE - 4) for part in parts.values()]
    blood = [(part, walls[name], anatomy.blood_hu) for name, part in parts.items()]
    for part, inset, hu in muscle + blood:
        reach = part[1].max()
        canvas.paint(partial(oriented_ellipsoid, part, inset), hu, part[0] - reach, part[0] + reach)


def paint_airways(canvas: Canvas, anatomy: Anatomy) -> None:
    """Trachea, main and lobar bronchi, oesophagus: all walls first, then all air, so that the branches open."""
    x, y, z = anatomy.carina
    top = np.array([anatomy.apex + 150, anatomy.apex, anatomy.apex - 45])
    spine_x, spine_y = spine_centre(anatomy, top)
    trachea = [*zip(spine_x * 0.5, spine_y - 36, top, strict=True), (x, y, z)]
    right, left = (x - 32, y + 5, z - 20), (x + 42, y + 7, z - 27)
    lower_right, lower_left = (x - 42, y + 16, z - 58), (x + 54, y + 22, z - 56)
    tubes = [
        (trachea, anatomy.variety.trachea),
        ([(x, y, z), right], 7.0),
        ([(x, y, z), left], 6.3),
        ([(x - 22, y + 3, z - 13), (x - 40, y + 4, z - 8), (x - 54, y + 8, z + 12)], (5.0, 4.4, 3.0)),
        ([right, lower_right, (x - 52, y + 28, z - 88)], (5.8, 4.2, 2.6)),
        ([left, (x + 52, y - 4, z - 14), (x + 58, y - 12, z + 6)], (4.8, 4.0, 2.8)),
        ([left, lower_left, (x + 60, y + 34, z - 84)], (5.4, 4.0, 2.4)),
        ([(x - 38, y + 10, z - 46), (x - 52, y - 14, z - 62)], (3.6, 2.4)),
    ]
    heights = np.linspace(anatomy.apex + 150, anatomy.base - 40, 12)
    spine_x, spine_y = spine_centre(anatomy, heights)
    gullet = np.stack([0.6 * spine_x + 6, spine_y - 23, heights], axis=1)
    canvas.tube(gullet, 7, 40)
    for grow, hu in ((1.6, 20.0), (0.0, AIR)):
        for points, radii in tubes:
            canvas.tube(points, np.asarray(radii) + grow, hu)


def paint_nodules(canvas: Canvas, anatomy: Anatomy) -> None:
    """Solid lung nodules."""
    for nodule in anatomy.nodules:
        canvas.ball(nodule.centre, nodule.diameter / 2, 40)
