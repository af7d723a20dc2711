"""Shoulders, arms, neck and chin: what a chest scan shows of the patient above and beside the trunk."""

import numpy as np

from dx2ct.data.sources.phantom.anatomy.canvas import Array, capsule, smooth_min
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.shape import Limbs
from dx2ct.data.sources.phantom.anatomy.surfaces import spine_centre

ARM_MM, NECK_MM, CREASE_MM, FAR = 220.0, 150.0, 20.0, 1e3


def _spine(anatomy: Anatomy, z: float) -> Array:
    x, y = spine_centre(anatomy, np.array(z))
    return np.array([float(x), float(y), z])


def _beside(point: Array, x: float, y: float, z: float) -> Array:
    return np.asarray(point + np.array([x, y, z]))


def shoulder(anatomy: Anatomy, limbs: Limbs, side: int) -> Array:
    """Centre of the humerus' head."""
    z = anatomy.apex + limbs.shoulder_z
    return np.array([side * limbs.shoulder, _spine(anatomy, anatomy.apex)[1] + limbs.shoulder_y, z])


def elbow(anatomy: Anatomy, limbs: Limbs, side: int) -> Array:
    """The far end of an arm."""
    x, y, z = limbs.arm
    direction = np.array([side * x, y, z]) / np.linalg.norm(limbs.arm)
    return np.asarray(shoulder(anatomy, limbs, side) + ARM_MM * direction)


def flesh(anatomy: Anatomy, limbs: Limbs) -> list[tuple[Array, Array, float, float]]:
    """Round-ended cones: from, to, and the two radii."""
    nape = _beside(_spine(anatomy, anatomy.apex - 25), 0, -12, 0)
    head = _beside(_spine(anatomy, anatomy.apex + NECK_MM), 0, -25, 0)
    chin = np.array([0, nape[1] - 30 - limbs.chin_reach, anatomy.apex + limbs.chin])
    jaw = np.array([0, nape[1] - 20, anatomy.apex + limbs.chin + 40])
    parts = [(nape, head, limbs.neck + 6, limbs.neck), (jaw, chin, 62.0, 30.0)]
    for side in (-1, 1):
        joint = shoulder(anatomy, limbs, side)
        parts.append((_beside(nape, side * 40, 6, 0), joint, limbs.radius + 6, limbs.radius))
        parts.append((joint, elbow(anatomy, limbs, side), limbs.radius, 0.8 * limbs.radius))
    return parts


def limbs_surface(anatomy: Anatomy, limbs: Limbs, x: Array, y: Array, z: Array) -> Array:
    """Signed distance to all of them, with the creases filled; FAR where none is near."""
    surface = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), FAR, np.float32)
    for a, b, *radii in flesh(anatomy, limbs):
        reach = max(radii) + CREASE_MM + 5
        first, last = np.searchsorted(z[:, 0, 0], (min(a[2], b[2]) - reach, max(a[2], b[2]) + reach))
        near = slice(first, last)
        part = capsule(x, y, z[near], a.astype(np.float32), b.astype(np.float32), *radii)
        surface[near] = smooth_min(surface[near], part, CREASE_MM)
    return surface


def limb_bones(anatomy: Anatomy, limbs: Limbs) -> list[tuple[Array, float]]:
    """Centre lines and radii of both humeri and the lower jaw."""
    bones: list[tuple[Array, float]] = []
    for side in (-1, 1):
        joint, end = shoulder(anatomy, limbs, side), elbow(anatomy, limbs, side)
        bones += [(np.stack([joint, joint + 0.03 * (end - joint)]), 22.0), (np.stack([joint, end]), 11.0)]
    jaw, chin, *_ = flesh(anatomy, limbs)[1]
    right, left = ([_beside(jaw, side * 45, 10, 0), _beside(chin, side * 26, 22, 0)] for side in (-1, 1))
    return [*bones, (np.array([*right, _beside(chin, 0, 10, 0), *left[::-1]]), 7.0)]
