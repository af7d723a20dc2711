"""A patient at random: ranges of adults, and lung nodules where lungs are."""

from dataclasses import replace

import numpy as np

from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy, Nodule
from dx2ct.data.sources.phantom.anatomy.surfaces import lung


def draw_anatomy(seed: int) -> Anatomy:
    """The patient of a seed."""
    rng = np.random.default_rng([seed, 0])
    female = bool(rng.random() < 0.5)
    width = rng.uniform(116, 140) + (0 if female else 10)
    fat = rng.uniform(5, 34)
    scale = rng.uniform(0.87, 1.17)
    anatomy = Anatomy(
        female=female,
        shift_mm=(rng.uniform(-20, 20), rng.uniform(-18, 18), -float(rng.integers(50, 400))),
        cavity_half_width=width,
        cavity_half_depth=width * rng.uniform(0.6, 0.68),
        fat=fat,
        lung_height=rng.uniform(200, 262) + (0 if female else 18),
        dome_right=rng.uniform(48, 84),
        dome_step=rng.uniform(8, 22),
        heart_scale=scale,
        heart_x=rng.uniform(13, 27),
        heart_turn=rng.uniform(-0.25, 0.3),
        aorta_radius=rng.uniform(11.5, 17),
        aorta_bulge=rng.uniform(0, 14),
        kyphosis=rng.uniform(10, 24),
        scoliosis=rng.uniform(-9, 9),
        breast=rng.uniform(6, 26) if female else 0.0,
        gastric_gas=rng.uniform(16, 36),
        lung_hu=rng.uniform(-885, -830),
        blood_hu=rng.uniform(150, 250) if rng.random() < 0.4 else rng.uniform(36, 46),
        bone_scale=rng.uniform(0.65, 1.1),
        detail_seed=int(rng.integers(2**31)),
    )
    return replace(anatomy, nodules=place_nodules(anatomy, rng))


def place_nodules(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Nodule, ...]:
    """Up to three nodules, whole inside a lung and clear of the hila and of each other."""
    nodules: list[Nodule] = []
    required = int(rng.integers(0, 4))
    while len(nodules) < required:
        side = int(rng.choice([-1, 1]))
        diameter = float(np.exp(rng.uniform(np.log(6), np.log(30))))
        low = (20, -anatomy.half_depth, anatomy.base)
        x, y, z = (
            float(value) for value in rng.uniform(low, (anatomy.cavity_half_width, anatomy.half_depth, anatomy.apex))
        )
        centre = (side * x, y, z)
        inside = float(lung(anatomy, side, *(np.array(value) for value in centre))) < -diameter / 2 - 4
        crowd = [anatomy.hilum(side), *(nodule.centre for nodule in nodules)]
        clear = all(np.linalg.norm(np.subtract(centre, other)) > diameter / 2 + 32 for other in crowd)
        if inside and clear:
            nodules.append(Nodule(centre, diameter))
    return tuple(nodules)
