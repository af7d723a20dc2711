"""The great vessels, and the trees that arteries and veins form in the lungs."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from dx2ct.data.sources.phantom.anatomy.canvas import Array, Canvas
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.surfaces import lung, spine_centre

# Where the stems of one lung's tree head for: (away from the midline, to the back, to the head).
STEMS = (
    *((0.5, -0.3, 1), (0.3, -0.2, 1), (0.6, 0.3, 0.9), (0.8, 0.6, 0.6), (0.9, -0.8, 0.3)),
    *((1, 0.1, 0.1), (0.9, 0.5, -0.2), (0.7, -0.8, -0.3), (0.6, -0.7, -0.7), (0.9, -0.3, -0.6)),
    *((0.6, 0.2, -1), (0.3, 0.5, -1), (0.7, 0.8, -0.7), (0.8, 0.4, -0.8)),
)


def paint_great_vessels(canvas: Canvas, anatomy: Anatomy) -> None:
    """Aorta with its arch to the left, its branches to the neck, caval veins, pulmonary arteries and veins."""
    lines = [_smooth(*line) for line in (aorta(anatomy), *_others(anatomy).values())]
    for points, radii in lines:
        canvas.tube(points, radii + 1.5, 40)
    for points, radii in lines:
        canvas.tube(points, radii, anatomy.blood_hu)


def aorta(anatomy: Anatomy) -> tuple[Array, Array]:
    """Centre line (n, xyz) and radii: up on the right of the midline, over the left bronchus, down before the spine."""
    _, y, z = anatomy.carina
    heart_x, heart_y, heart_z = anatomy.heart
    bulge, radius = anatomy.aorta_bulge, anatomy.aorta_radius
    down = np.array([z - 5, z - 50, 0.5 * (z + anatomy.base), anatomy.base + 20, anatomy.base - 150])
    spine_x, spine_y = spine_centre(anatomy, down)
    aside = np.array([27 + bulge, 27 + bulge, 24 + 0.6 * bulge, 15, 8])
    descending = np.stack([spine_x + aside, spine_y - [8, 8, 12, 24, 34], down], axis=1)
    ascending = [
        (heart_x - 10, heart_y - 2, heart_z + 22),
        (heart_x - 26, y - 36, 0.5 * (heart_z + 30 + z)),
        (-18, y - 36, z - 4),
        (-12, y - 26, z + 16),
        (6, y - 12, z + 29),
        (22 + 0.7 * bulge, y + 8, z + 26),
    ]
    points = np.concatenate([ascending, descending])
    radii = radius * np.array([1.1, 1.15, 1.15, 1.1, 1.0, 0.97, 0.93, 0.88, 0.84, 0.8, 0.7])
    return points, radii


def _others(anatomy: Anatomy) -> dict[str, tuple[ArrayLike, ArrayLike]]:
    """Name: centre line and radii, placed by the carina (x = 0, y, z) and the heart (hx, hy, hz), whose scale is s."""
    _, y, z = anatomy.carina
    hx, hy, hz = anatomy.heart
    s, top, apex, base = anatomy.heart_scale, anatomy.apex + 120, anatomy.apex, anatomy.base
    right, left = np.array(anatomy.hilum(-1)), np.array(anatomy.hilum(1))
    right_lower, left_lower = right + np.array([-6, 8, -22]), left + np.array([6, 8, -24])
    cava, spine = hx - 36 * s, anatomy.spine_y
    return {
        "superior vena cava": ([(-25, y - 22, z + 42), (-26, y - 24, z), (cava, hy + 4, hz + 18 * s)], (8, 9, 10)),
        "inferior vena cava": (
            [(cava, hy + 12, hz - 26 * s), (-22, 0, base + 40), (-20, spine - 36, base - 150)],
            [11] * 3,
        ),
        "pulmonary trunk": (
            [(hx + 2, hy - 30 * s, hz + 18 * s), (20, y - 36, z - 24), (25, y - 16, z - 12)],
            (13, 13, 12),
        ),
        "left pulmonary artery": ([(25, y - 16, z - 12), (36, y, z - 6), left, left_lower], (12, 11, 10, 7)),
        "right pulmonary artery": ([(25, y - 16, z - 14), (-6, y - 15, z - 20), right, right_lower], (11, 10, 9, 6.5)),
        "right pulmonary vein": ([(hx - 20, hy + 28 * s, hz + 14 * s), (-46, hy + 36 * s, hz + 8 * s)], (7, 5)),
        "left pulmonary vein": ([(hx + 14, hy + 30 * s, hz + 14 * s), (52, hy + 38 * s, hz + 8 * s)], (7, 5)),
        "brachiocephalic artery": ([(-10, y - 24, z + 22), (-22, y - 8, z + 50), (-28, y - 10, top)], (7, 6, 4.5)),
        "left carotid artery": ([(4, y - 12, z + 28), (12, y - 6, z + 56), (24, y - 6, top)], (5, 4.5, 4)),
        "left subclavian artery": (
            [(16, y - 2, z + 30), (24, y + 4, z + 54), (46, y + 6, apex - 6), (92, y + 2, apex - 16)],
            (6, 6, 5, 4),
        ),
        "right brachiocephalic vein": ([(-24, y - 24, z + 40), (-30, y - 26, z + 58), (-40, y - 22, top)], (8, 7, 5)),
        "left brachiocephalic vein": (
            [(-24, y - 28, z + 38), (10, y - 32, z + 48), (30, y - 26, z + 62), (40, y - 22, top)],
            (7, 7, 7, 5),
        ),
    }


def _smooth(points: ArrayLike, radii: ArrayLike) -> tuple[Array, Array]:
    """Refine a centre line to steps of about 6 mm."""
    line = np.asarray(points, float)
    radii = np.asarray(radii, float)
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    fine = np.linspace(0, at[-1], max(2, int(at[-1] / 6)))
    return PchipInterpolator(at, line)(fine), PchipInterpolator(at, radii)(fine)


def paint_lung_vessels(canvas: Canvas, anatomy: Anatomy) -> None:
    """Branching, tapering trees from both hila; arteries and veins look alike here."""
    rng = np.random.default_rng(anatomy.detail_seed)
    for side in (-1, 1):
        for starts, ends, radii in grow_trees(anatomy, side, rng):
            seen = radii >= canvas.finest_mm
            for start, end, radius in zip(starts[seen], ends[seen], radii[seen], strict=True):
                canvas.segment(start, end, radius, 0.86 * radius, min(anatomy.blood_hu, 45 + 20 * radius))


def grow_trees(anatomy: Anatomy, side: int, rng: np.random.Generator) -> list[tuple[Array, Array, Array]]:
    """Generations of branches, each as starts (n, xyz), ends (n, xyz) and radii (n): every branch forks in two.

    The stems of the generation 0 leave the hilum in directions that fan out over the lobes. A branch that would leave
    the lung is cut.
    """
    hilum = np.array(anatomy.hilum(side))
    fan = np.array(STEMS)
    direction = _unit(fan * (side, 1, 1) + rng.normal(0, 0.12, fan.shape))
    start = hilum + rng.normal(0, 4, fan.shape)
    radius = rng.uniform(3.2, 4.8, len(fan))
    generations: list[tuple[Array, Array, Array]] = []
    while len(radius):
        length = radius * rng.uniform(3.5, 6.5, len(radius)) + 6
        end = start + direction * length[:, None]
        inside = lung(anatomy, side, *end.T) < -1.5
        inside |= np.linalg.norm(end - hilum, axis=1) < 30  # the stems begin in the mediastinum
        start, end, radius, direction = start[inside], end[inside], radius[inside], direction[inside]
        generations.append((start, end, radius))
        turn = _unit(rng.normal(0, 1, direction.shape)) * rng.uniform(0.3, 0.75, len(radius))[:, None]
        outwards = 0.18 * _unit(end - hilum)
        direction = np.concatenate([_unit(direction + turn + outwards), _unit(direction - turn + outwards)])
        start = np.concatenate([end, end])
        radius = np.concatenate(
            [radius * rng.uniform(0.74, 0.9, len(radius)), radius * rng.uniform(0.6, 0.8, len(radius))]
        )
        keep = radius > 0.62
        start, direction, radius = start[keep], direction[keep], radius[keep]
    return generations


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
