"""Spine, ribs with their cartilages, sternum, clavicles, scapulae."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dx2ct.data.sources.phantom.anatomy.canvas import Array, Canvas, section
from dx2ct.data.sources.phantom.anatomy.limbs import limb_bones
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.surfaces import (
    cavity,
    cavity_axes,
    level,
    profile,
    skin_y,
    spine_centre,
    wall_y,
)

CARTILAGE, DISC, CORD = 95.0, 80.0, 25.0
# Ribs 1 to 12, for a lung 240 mm high: how far the bony front end lies below the head (mm), and where it lies
# around the chest (degrees from the back).
RIB_DROP = (40, 54, 64, 74, 82, 88, 92, 92, 84, 66, 40, 18)
RIB_END = (150, 152, 152, 152, 151, 148, 144, 135, 125, 113, 82, 52)
STERNUM_JOINTS = (52, 88, 110, 130, 148, 163, 176)  # of ribs 1 to 7, below the apex


def paint_bones(canvas: Canvas, anatomy: Anatomy) -> None:
    """The whole skeleton of the trunk."""
    paint_spine(canvas, anatomy)
    paint_ribs(canvas, anatomy)
    paint_sternum(canvas, anatomy)
    for side in (-1, 1):
        paint_shoulder(canvas, anatomy, side)
    if anatomy.variety.limbs is not None:
        _paint_bone(canvas, anatomy, limb_bones(anatomy, anatomy.variety.limbs), 3.0)


def vertebra_z(anatomy: Anatomy, number: ArrayLike) -> Array:
    """z of the middle of vertebral body T`number`; C7 is 0, L1 is 13. They grow taller downwards."""
    n = np.asarray(number, float) - 1
    return np.asarray(anatomy.apex - 2 - anatomy.tall * (18.6 * n + 0.33 * n**2))


def paint_spine(canvas: Canvas, anatomy: Anatomy) -> None:
    """Bodies with cortex, endplates and discs, then arches, processes and the canal."""
    scale, variety = anatomy.bone_scale, anatomy.variety
    centres = vertebra_z(anatomy, np.arange(-3, 18))[::-1]
    front = anatomy.spine_y - anatomy.kyphosis * 1.7 - 22
    window = canvas.window((-35, front, -1e4), (35, anatomy.spine_y + 40, 1e4))
    x, y, z = canvas.grid(window)
    spine_x, spine_y = spine_centre(anatomy, z)
    place = np.interp(z, centres, np.arange(len(centres)))  # whole numbers in the middle of bodies
    off = np.abs(place - np.round(place))  # 0.5 in the middle of discs
    u = level(anatomy, z)
    size = profile(u, (-0.3, 0.2, 0.7, 1.1), (1.2, 1.0, 0.8, 0.62)) * (0.94 + 0.4 * off**2)
    bodies = section(x, y, (spine_x, spine_y), (size * 20, size * 16), 2.2)
    disc = np.clip((off - 0.41) * 25, 0, 1)
    plate = np.exp(-(((off - 0.38) / 0.035) ** 2))
    canvas.blend(window, bodies, DISC * disc + (1 - disc) * variety.cortex * scale * 0.75)
    inside = (variety.marrow + plate * 260) * scale
    canvas.blend(window, bodies + 2.2 * variety.compact, DISC * disc + (1 - disc) * inside)
    for number in range(-2, 17):
        paint_arch(canvas, anatomy, number)
    canvas.blend(window, section(x, y, (spine_x, spine_y + 22 * size), (size * 9, size * 8), 2), CORD)


def paint_arch(canvas: Canvas, anatomy: Anatomy, number: int) -> None:
    """Pedicles, laminae, transverse and spinous process of one vertebra."""
    z = float(vertebra_z(anatomy, number))
    x, y = (float(value) for value in spine_centre(anatomy, np.array(z)))
    size = float(profile(level(anatomy, np.array(z)), (-0.3, 0.2, 0.7, 1.1), (1.2, 1.0, 0.8, 0.62)))
    thoracic = 1 <= number <= 12
    tip = (x, y + size * 54, z - (24 if thoracic else 8) * anatomy.tall)
    spine_root = (x, y + size * 33, z - 5)
    wide = anatomy.variety.arches
    bones = [([spine_root, tip], 3.0 * wide)]
    for side in (-1, 1):
        root = (x + side * size * 13, y + size * 22, z + 1)
        across = (x + side * (size * 34), y + size * (30 if thoracic else 22), z + 3)
        bones += [
            ([(x + side * size * 12, y + size * 12, z + 4), root], 3.6 * wide),
            ([root, spine_root], 3.4 * wide),
            ([root, across], 3.4 * wide),
        ]
    _paint_bone(canvas, anatomy, bones, 1.5 * anatomy.variety.compact)


def paint_ribs(canvas: Canvas, anatomy: Anatomy) -> None:
    """Twelve pairs; 1 to 7 reach the sternum by their own cartilage, 8 to 10 by the one above, 11 and 12 end free."""
    ribs = anatomy.variety.ribs
    for side in (-1, 1):
        cartilages: list[Array] = []
        for number in range(1, 13):
            rib = rib_path(anatomy, number, side)
            radius = 4.2 if number == 1 or number > 10 else 5.0
            _paint_bone(canvas, anatomy, [(rib, radius * ribs)], 1.6 * ribs)
            if number <= 10:
                cartilages.append(_cartilage(anatomy, number, side, rib[-1], cartilages))
        for cartilage in cartilages:
            canvas.tube(cartilage, 4.6, CARTILAGE)


def rib_path(anatomy: Anatomy, number: int, side: int) -> Array:
    """Centre line of a rib (n, xyz), from its head beside the spine to its bony front end, lower in front."""
    z0 = float(vertebra_z(anatomy, number)) + 8 * anatomy.tall
    x0, y0 = (float(value) for value in spine_centre(anatomy, np.array(z0)))
    t = np.linspace(0, 1, 28)
    angle = np.radians(26 + (RIB_END[number - 1] - 26) * t)
    z = z0 - 5 - (RIB_DROP[number - 1] * anatomy.tall - 5) * (0.6 * t + 0.4 * t**2)
    arc = _on_wall(anatomy, angle, z, side)
    neck = [(x0 + side * 18, y0 + 3, z0), (x0 + side * 32, y0 + 19, z0 - 2)]
    return np.concatenate([neck, arc])


def _on_wall(anatomy: Anatomy, angle: Array, z: Array, side: int) -> Array:
    """Points 6 mm outside the cavity at an angle from the back (radians) and a height."""
    centre_y, width, depth = cavity_axes(anatomy, z)
    sine, cosine = np.sin(angle), np.cos(angle)
    e = anatomy.variety.trunk.cavity_exponent
    radius = (np.abs(sine / (width + 6)) ** e + np.abs(cosine / (depth + 6)) ** e) ** (-1 / e)
    return np.stack([side * radius * sine, centre_y + radius * cosine, z], axis=1)


def _cartilage(anatomy: Anatomy, number: int, side: int, start: Array, above: list[Array]) -> Array:
    """From the bony end of a rib to the sternum, or to the middle of the cartilage above."""
    if number <= 7:
        z = anatomy.apex - STERNUM_JOINTS[number - 1] * anatomy.tall
        x = 15.0 if number > 1 else 20.0
        end = np.array([side * x, float(sternum_y(anatomy, np.array(z))), z])
    else:
        end = above[-1][len(above[-1]) // 2]
    t = np.linspace(0, 1, 7)[:, None]
    path = start + t * (end - start)
    path[:, 2] -= 8 * np.sin(np.pi * t[:, 0]) * (number > 3)
    path[1:-1, 1] = wall_y(anatomy, path[1:-1, 0], path[1:-1, 2], 6, -1)
    return np.asarray(path)


def sternum_y(anatomy: Anatomy, z: Array) -> Array:
    """y of the middle of the sternum at height z."""
    return wall_y(anatomy, np.zeros_like(z), z, 8, -1)


def paint_sternum(canvas: Canvas, anatomy: Anatomy) -> None:
    """Manubrium, body and xiphoid process: a flat plate with a gap at the angle."""
    notch = anatomy.apex - 40 * anatomy.tall
    window = canvas.window((-32, -1e4, notch - 175 * anatomy.tall), (32, 0, notch))
    x, y, z = canvas.grid(window)
    down = (notch - z) / anatomy.tall
    half = profile(down, (0, 25, 46, 60, 115, 140, 146, 170), (27, 22, 15, 14, 19, 14, 6, 4))
    around = section(x, y, (np.float32(0), sternum_y(anatomy, z)), (half, np.float32(6.5)), 2.6)
    plate = np.maximum(np.maximum(around, -down), np.maximum(down - 172, 1.5 - np.abs(down - 48)))
    canvas.blend(window, plate, anatomy.variety.cortex * 0.75 * anatomy.bone_scale)
    canvas.blend(window, plate + 1.7 * anatomy.variety.compact, anatomy.variety.marrow * 0.8 * anatomy.bone_scale)


def paint_shoulder(canvas: Canvas, anatomy: Anatomy, side: int) -> None:
    """Clavicle and scapula of a patient who holds the arms up."""
    tall, apex, reach = anatomy.tall, anatomy.apex, anatomy.cavity_half_width
    notch = apex - 40 * tall
    medial = float(sternum_y(anatomy, np.array(notch)))
    x, z = np.array([48, 74, 98, 0.86 * reach + 8]), notch + tall * np.array([14, 26, 36, 42])
    under_skin = skin_y(anatomy, x, z, -0.7 * anatomy.fat - 13, -1) + np.array([0, 0, 4, 12])
    clavicle = np.concatenate([[(side * 22, medial, notch + 1)], np.stack([side * x, under_skin, z], axis=1)])
    inner, tip, glenoid = (50, apex - 24 * tall), (84, apex - 148 * tall), (0.84 * reach + 6, apex - 36 * tall)
    _paint_blade(canvas, anatomy, side, (inner, tip, glenoid))
    border = [_on_blade(anatomy, side, tip, glenoid, t) for t in np.linspace(0, 1, 7)]
    crest = [_on_blade(anatomy, side, (54, apex - 50 * tall), glenoid, t) for t in (0.0, 0.3, 0.6)]
    crest = [point + np.array([0, 9 * i, 0]) for i, point in enumerate(crest)]
    socket = [border[-1], border[-1] + np.array([side * 6, -4, 4])]
    bones = [
        (clavicle, 5.5),
        (np.array(border), 4.2),
        (np.array([*crest, clavicle[-1]]), 4.0),
        (np.array(socket), 11.0),
    ]
    _paint_bone(canvas, anatomy, bones, 1.7)


def _on_blade(anatomy: Anatomy, side: int, a: tuple[float, float], b: tuple[float, float], t: float) -> Array:
    """A point of the scapula, t of the way from a to b, both given as (distance from the midline, z)."""
    x, z = a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])
    return np.array([side * x, float(wall_y(anatomy, np.array(x), np.array(z), 18, 1)), z])


def _paint_blade(canvas: Canvas, anatomy: Anatomy, side: int, corners: tuple[tuple[float, float], ...]) -> None:
    """A thin triangular plate 18 mm outside the ribs; corners are (distance from the midline, z), clockwise."""
    low, high = sorted((side * 40.0, side * 175.0))
    heights = [z for _, z in corners]
    window = canvas.window((low, -40, min(heights)), (high, 1e4, max(heights)))
    x, y, z = canvas.grid(window)
    plate = np.abs(cavity(anatomy, x, y, z) - 16) - 2
    across = side * x
    middle = np.mean(corners, axis=0)
    for (x0, z0), (x1, z1) in zip(corners, corners[1:] + corners[:1], strict=True):
        normal = np.array([z1 - z0, x0 - x1]) / np.hypot(x1 - x0, z1 - z0)
        normal *= -np.sign(normal @ (middle - (x0, z0)))
        plate = np.maximum(plate, normal[0] * (across - x0) + normal[1] * (z - z0))
    centre_y = cavity_axes(anatomy, z)[0]
    canvas.blend(window, np.maximum(plate, centre_y - y), 480 * anatomy.bone_scale)


def _paint_bone(canvas: Canvas, anatomy: Anatomy, bones: Sequence[tuple[ArrayLike, float]], cortex: float) -> None:
    """Tubes of dense cortex with marrow inside."""
    for points, radius in bones:
        canvas.tube(points, radius, anatomy.variety.cortex * anatomy.bone_scale)
    for points, radius in bones:
        canvas.tube(points, radius - cortex, anatomy.variety.marrow * anatomy.bone_scale)
