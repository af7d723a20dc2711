"""Signed distances (mm, negative inside) of the surfaces that organs share; x, y, z broadcast, patient frame."""

from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from dx2ct.data.sources.phantom.anatomy.canvas import Array, ellipsoid, section, smooth_min
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy


def level(anatomy: Anatomy, z: Array) -> Array:
    """Height in units of the lung: 0 at the lowest recess, 1 at the apex."""
    return np.asarray((z - anatomy.base) / anatomy.lung_height)


def profile(at: Array, knots: tuple[float, ...], values: tuple[float, ...]) -> Array:
    """A smooth curve through the knots that never overshoots, constant beyond them; float32."""
    return np.asarray(_curve(knots, values)(np.clip(at, knots[0], knots[-1])), np.float32)


@lru_cache(maxsize=64)
def _curve(knots: tuple[float, ...], values: tuple[float, ...]) -> PchipInterpolator:
    return PchipInterpolator(knots, values)


def spine_centre(anatomy: Anatomy, z: Array) -> tuple[Array, Array]:
    """x and y of the vertebral bodies: kyphosis bends both ends to the front, scoliosis bends the middle aside."""
    u = np.clip(level(anatomy, z), -0.4, 1.4)
    x = anatomy.scoliosis * np.sin(np.pi * np.clip(u, -0.2, 1.2) * 1.1)
    y = anatomy.spine_y - spine_bend(anatomy, u)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def spine_bend(anatomy: Anatomy, u: Array) -> Array:
    """How far before its deepest point the spine lies at a level, mm."""
    trunk = anatomy.variety.trunk
    bend = 2 * np.clip(u, -0.15, 1.15) - 1 - trunk.lean
    depth = anatomy.kyphosis * bend**2
    return np.where(bend < 0, trunk.lumbar * depth, depth)


def cavity_axes(anatomy: Anatomy, z: Array) -> tuple[Array, Array, Array]:
    """Of the space inside the ribs at height z: y of its centre, half width, half depth."""
    u = level(anatomy, z)
    trunk = anatomy.variety.trunk
    width = anatomy.cavity_half_width * profile(u, trunk.cavity_heights, trunk.cavity_widths)
    depth = anatomy.cavity_half_depth * profile(u, trunk.cavity_heights, trunk.cavity_depths)
    straight = anatomy.spine_y + 34
    bent = spine_centre(anatomy, z)[1] + profile(u, (0.5, 0.8, 1.0), (34, 31, 22))
    back = np.where(u < trunk.bend_from, straight, bent).astype(np.float32)
    return back - depth, width, depth


def cavity(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """The space inside the ribs, open at both ends."""
    centre_y, width, depth = cavity_axes(anatomy, z)
    return section(x, y, (np.float32(0), centre_y), (width, depth), anatomy.variety.trunk.cavity_exponent)


def wall_y(anatomy: Anatomy, x: Array, z: Array, outside: float, side: int) -> Array:
    """y of the cavity's back (side = 1) or front (-1) wall, moved `outside` mm outwards."""
    return _outline_y(cavity_axes(anatomy, z), anatomy.variety.trunk.cavity_exponent, x, outside, side)


def skin_y(anatomy: Anatomy, x: Array, z: Array, outside: float, side: int) -> Array:
    """y of the skin of the back (side = 1) or the chest (-1), moved `outside` mm outwards."""
    return _outline_y(body_axes(anatomy, z), anatomy.variety.trunk.body_exponent, x, outside, side)


def _outline_y(axes: tuple[Array, Array, Array], exponent: float, x: Array, outside: float, side: int) -> Array:
    centre_y, width, depth = axes
    rest = 1 - np.minimum(np.abs(x) / (width + outside), 0.999) ** exponent
    return np.asarray(centre_y + side * (depth + outside) * rest ** (1 / exponent))


def body_axes(anatomy: Anatomy, z: Array) -> tuple[Array, Array, Array]:
    """Of the skin at height z: y of its centre, half width, half depth."""
    u = level(anatomy, z)
    trunk = anatomy.variety.trunk
    width = anatomy.half_width * profile(u, trunk.body_heights, trunk.body_widths)
    centre_y, _, depth = cavity_axes(anatomy, z)
    front = centre_y - depth - 17 - 0.7 * anatomy.fat - profile(u, (-0.3, 0.3), (0.5 * anatomy.fat + trunk.belly, 0))
    if trunk.chest:
        front = front - profile(u, (0.3, 0.8), (0, trunk.chest))
    back = anatomy.half_depth + 4 - profile(u, (0.85, 1.3), (0, 32))
    if trunk.follow:
        back = back - (trunk.follow * spine_bend(anatomy, u)).astype(np.float32)
    return (front + back) / 2, width, (back - front) / 2


def body(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """Skin, without breasts; the back is flattened by the table."""
    centre_y, width, depth = body_axes(anatomy, z)
    around = section(x, y, (np.float32(0), centre_y), (width, depth), anatomy.variety.trunk.body_exponent)
    return np.asarray(np.maximum(around, y - anatomy.half_depth))


def breast(anatomy: Anatomy, side: int, x: Array, y: Array, z: Array, inset: float = 0.0) -> Array:
    """A breast of a supine patient: flat, hanging a little to the side; negative far inside the chest wall too."""
    centre = (side * 0.52 * anatomy.half_width, -0.84 * anatomy.half_depth, -0.02 * anatomy.lung_height)
    size = 54 + 0.8 * anatomy.breast - inset
    semi = (size, 0.12 * anatomy.half_depth + 8 + anatomy.breast - inset, size)
    return ellipsoid(x, y, z, centre, semi)


def diaphragm(anatomy: Anatomy, x: Array, y: Array) -> Array:
    """z of the diaphragm's upper side: a right dome, a lower left one, and the saddle under the heart."""
    half_width, half_depth = anatomy.cavity_half_width, anatomy.cavity_half_depth
    trunk = anatomy.variety.trunk
    y = y - np.float32(trunk.dome_y)

    def dome(x0: float, y0: float, top: float, half: tuple[float, float], drop: float) -> Array:
        back = y - y0
        if trunk.dome_front != 1:
            back = np.where(back < 0, back / np.float32(trunk.dome_front), back)
        r2 = ((x - x0) / half[0]) ** 2 + (back / half[1]) ** 2
        return np.asarray(anatomy.base + top - drop * np.tanh(0.75 * r2**1.25) / 0.735)  # r2 = 1.2 near the wall

    half = (trunk.dome_side * half_width, trunk.dome_back * half_depth)
    right = dome(-0.48 * half_width, trunk.dome_right_y, anatomy.dome_right, half, anatomy.dome_right)
    left = dome(0.5 * half_width, -10, anatomy.dome_left, half, anatomy.dome_left)
    middle = dome(5, -0.3 * half_depth, anatomy.dome_left - 8, (0.6 * half_width, 0.95 * half_depth), 45)
    return -smooth_min(smooth_min(-right, -left, 10), -middle, 12)


def below_diaphragm(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """The half space below the diaphragm; the slope of the domes is taken as one in two."""
    return np.asarray((z - diaphragm(anatomy, x, y)) * np.float32(0.85))


def heart_parts(anatomy: Anatomy) -> dict[str, tuple[Array, Array, Array]]:
    """Name: centre, semi-axes, and the directions of these (rows) of the four chambers' outer walls."""
    s, c = anatomy.heart_scale, np.array(anatomy.heart)
    turn = anatomy.heart_turn
    apex = np.array([np.cos(0.6 - turn), -0.42, -np.sin(0.6 - turn)])  # to the left, front, and down
    apex /= np.linalg.norm(apex)
    across = np.cross(apex, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    oblique = np.stack([apex, across, np.cross(apex, across)])
    parts = {
        "left ventricle": ((22, 6, -6), (55, 35, 34), oblique),
        "right ventricle": ((2, -24, -10), (46, 24, 38), np.eye(3)),
        "right atrium": ((-34, 2, 2), (25, 28, 38), np.eye(3)),
        "left atrium": ((-4, 28, 18), (36, 20, 26), np.eye(3)),
    }
    return {name: (c + s * np.array(at), s * np.array(semi), frame) for name, (at, semi, frame) in parts.items()}


def oriented_ellipsoid(part: tuple[Array, Array, Array], inset: float, x: Array, y: Array, z: Array) -> Array:
    """An ellipsoid with axes of its own, made smaller by `inset` mm."""
    centre, semi, frame = part
    dx, dy, dz = (axis - np.float32(c) for axis, c in zip((x, y, z), centre, strict=True))
    u, v, w = (np.float32(row[0]) * dx + np.float32(row[1]) * dy + np.float32(row[2]) * dz for row in frame)
    return ellipsoid(u, v, w, np.zeros(3), semi - inset)


def heart(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """The pericardium: the four chambers in one smooth sac, 3 mm of fat around them."""
    first, *others = (oriented_ellipsoid(part, 0, x, y, z) for part in heart_parts(anatomy).values())
    for other in others:
        first = smooth_min(first, other, 16)
    return first - 3


def mediastinum(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """What parts the lungs, without the heart: great vessels' sheath, thin septum to the sternum, spine."""
    u = level(anatomy, z)
    spine_x, spine_y = spine_centre(anatomy, z)
    trunk = anatomy.variety.trunk
    half = profile(u, (0.1, 0.35, 0.55, 0.72, 0.85, 1.0), trunk.sheath_widths)
    centre_y = (spine_y - trunk.sheath_y).astype(np.float32)
    sheath = section(x, y, (0.5 * spine_x + trunk.sheath_x, centre_y), (half, np.float32(trunk.sheath_depth)), 2.2)
    septum = np.abs(x - 3) - trunk.septum - np.float32(0.0009) * np.maximum(y - (anatomy.front + 20), 0) ** 2
    septum = np.maximum(septum, y - spine_y)
    column = section(x, y, (spine_x, spine_y + 8), (np.float32(trunk.column), np.float32(30)), 2.0)
    return smooth_min(smooth_min(sheath, septum, 14), column, 10)


def lung(anatomy: Anatomy, side: int, x: Array, y: Array, z: Array) -> Array:
    """One lung: side is +1 for the patient's left, -1 for the right."""
    centre_y, _, depth = cavity_axes(anatomy, np.asarray(anatomy.apex))
    r2 = ((x - side * 0.3 * anatomy.cavity_half_width) ** 2 + (y - centre_y) ** 2) / (0.9 * depth) ** 2
    dome = (z - (anatomy.apex - 14 * r2)) * np.float32(0.8)
    inside = np.maximum(cavity(anatomy, x, y, z), dome)
    above = -below_diaphragm(anatomy, x, y, z)
    centre = -smooth_min(mediastinum(anatomy, x, y, z), heart(anatomy, x, y, z), 8)
    return np.maximum(np.maximum(inside, above), np.maximum(centre, -side * x))
