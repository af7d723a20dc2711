"""Shoulders, arms, neck and chin: what a chest scan shows of the patient above and beside the trunk."""

import numpy as np

from dx2ct.data.sources.phantom.anatomy.canvas import Array, capsule, smooth_min
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.shape import Limbs
from dx2ct.data.sources.phantom.anatomy.surfaces import spine_centre

ARM_MM, NECK_MM = 220.0, 150.0


def _spine(anatomy: Anatomy, z: float) -> Array:
    x, y = spine_centre(anatomy, np.array(z))
    return np.array([float(x), float(y), z])


def shoulder(anatomy: Anatomy, limbs: Limbs, side: int) -> Array:
    """Centre of the humerus' head."""
    z = anatomy.apex + limbs.shoulder_z
    return np.array([side * limbs.shoulder, _spine(anatomy, anatomy.apex)[1] + limbs.shoulder_y, z])


def elbow(anatomy: Anatomy, limbs: Limbs, side: int) -> Array:
    """The far end of an arm."""
    x, y, z = limbs.arm
    direction = np.array([side * x, y, z]) / np.linalg.norm(limbs.arm)
    return shoulder(anatomy, limbs, side) + ARM_MM * direction


def flesh(anatomy: Anatomy, limbs: Limbs) -> list[tuple[Array, Array, float, float]]:
    """Round-ended cones: from, to, and the two radii."""
    nape = _spine(anatomy, anatomy.apex - 25) + [0, -12, 0]
    head = _spine(anatomy, anatomy.apex + NECK_MM) + [0, -25, 0]
    chin = np.array([0, nape[1] - 30 - limbs.chin_reach, anatomy.apex + limbs.chin])
    jaw = np.array([0, nape[1] - 20, anatomy.apex + limbs.chin + 40])
    parts = [(nape, head, limbs.neck + 6, limbs.neck), (jaw, chin, 62.0, 30.0)]
    for side in (-1, 1):
        joint = shoulder(anatomy, limbs, side)
        parts.append((nape + [side * 40, 6, 0], joint, limbs.radius + 6, limbs.radius))
        parts.append((joint, elbow(anatomy, limbs, side), limbs.radius, 0.8 * limbs.radius))
    return parts


def limbs_surface(anatomy: Anatomy, limbs: Limbs, x: Array, y: Array, z: Array) -> Array:
    """Signed distance to all of them, with the creases filled."""
    parts = [(np.float32(a), np.float32(b), *radii) for a, b, *radii in flesh(anatomy, limbs)]
    first, *others = (capsule(x, y, z, *part) for part in parts)
    for other in others:
        first = smooth_min(first, other, 20)
    return first


def limb_bones(anatomy: Anatomy, limbs: Limbs) -> list[tuple[Array, float]]:
    """Centre lines and radii of both humeri and the lower jaw."""
    bones: list[tuple[Array, float]] = []
    for side in (-1, 1):
        joint, end = shoulder(anatomy, limbs, side), elbow(anatomy, limbs, side)
        bones += [(np.stack([joint, joint + 0.03 * (end - joint)]), 22.0), (np.stack([joint, end]), 11.0)]
    chin, jaw = flesh(anatomy, limbs)[1][1], flesh(anatomy, limbs)[1][0]
    arch = [jaw + [-45, 10, 0], chin + [-26, 22, 0], chin + [0, 10, 0], chin + [26, 22, 0], jaw + [45, 10, 0]]
    return [*bones, (np.array(arch), 7.0)]
