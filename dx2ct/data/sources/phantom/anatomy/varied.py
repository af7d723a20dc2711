"""A varied patient at random: build, posture, breathing, disease and couch, in ranges wide enough for real scans."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dx2ct.data.sources.phantom.anatomy.draw import place_nodules
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy, Point
from dx2ct.data.sources.phantom.anatomy.shape import Abdomen, Couch, Disease, Limbs, Profile, Trunk, Variety
from dx2ct.data.sources.phantom.anatomy.warp import Warp

Random = np.random.Generator
Values = NDArray[np.float64]


def draw_varied(seed: int) -> Anatomy:
    """The varied patient of a seed."""
    rng = np.random.default_rng([seed, 10])
    female = bool(rng.random() < 0.45)
    width = rng.normal(123, 8) + (0 if female else 8)
    fat = float(np.clip(rng.gamma(3.6, 4.2), 3, 42))
    full = rng.random() < 0.8  # inspiration
    height = rng.normal(262, 22) + (0 if female else 10) - (0 if full else 35)
    anatomy = Anatomy(
        female=female,
        shift_mm=(rng.normal(0, 8), rng.normal(9, 15), -float(rng.integers(50, 400))),
        cavity_half_width=width,
        cavity_half_depth=width * rng.uniform(0.65, 0.81),
        fat=fat,
        lung_height=height,
        dome_right=rng.uniform(34, 84) + (0 if full else 15),
        dome_step=rng.uniform(-4, 20),
        heart_scale=rng.uniform(0.84, 1.18) * (1.2 if rng.random() < 0.1 else 1),
        heart_x=rng.uniform(8, 30),
        heart_turn=rng.uniform(-0.4, 0.4),
        aorta_radius=rng.uniform(11, 18),
        aorta_bulge=rng.uniform(-3, 16),
        kyphosis=rng.uniform(8, 36),
        scoliosis=rng.normal(0, 6),
        breast=rng.uniform(2, 26) if female else 0.0,
        gastric_gas=rng.uniform(0, 26),
        lung_hu=rng.normal(-862, 22) + (0 if full else 70),
        blood_hu=rng.uniform(110, 300) if rng.random() < 0.45 else rng.uniform(30, 50),
        bone_scale=rng.uniform(0.55, 1.1),
        detail_seed=int(rng.integers(2**31)),
        variety=_draw_variety(rng, width, fat),
    )
    anatomy = replace(anatomy, variety=replace(anatomy.variety, disease=_draw_disease(rng, anatomy)))
    return replace(anatomy, nodules=place_nodules(anatomy, rng))


def _draw_variety(rng: Random, width: float, fat: float) -> Variety:
    return Variety(
        trunk=_draw_trunk(rng),
        couch=_draw_couch(rng) if rng.random() < 0.95 else None,
        limbs=_draw_limbs(rng, width, fat),
        abdomen=Abdomen(
            filling_hu=rng.uniform(-110, 20),
            loops=int(rng.integers(4, 26)),
            gas_share=rng.uniform(0, 0.5),
            seed=int(rng.integers(2**31)),
            liver=rng.uniform(0.82, 1.15),
        ),
        warp=_draw_warp(rng),
        trachea=rng.uniform(7, 10.5),
        carina=_point(rng.normal(0, (4, 5, 9))),
        lung_gradient=rng.uniform(15, 90),
        mediastinum_hu=rng.uniform(-100, 10),
        cloth=rng.uniform(0, 6),
        cortex=rng.uniform(900, 1400),
        marrow=rng.uniform(130, 250),
        ribs=0.7,
        arches=1.75,
        compact=1.8,
    )


def _draw_trunk(rng: Random) -> Trunk:
    def near(values: Profile | Values, spread: float) -> Profile:
        return tuple(float(value) for value in rng.normal(values, spread))

    return Trunk(
        cavity_heights=(-0.5, 0.0, 0.15, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 1.05),
        cavity_widths=near((0.94, 0.99, 1.0, 0.97, 0.94, 0.9, 0.81, 0.68, 0.53, 0.4), 0.02),
        cavity_depths=near((0.91, 0.93, 0.955, 1.0, 1.01, 0.95, 0.81, 0.63, 0.505, 0.41), 0.025),
        cavity_exponent=rng.uniform(2.05, 2.7),
        body_heights=(-0.4, 0, 0.35, 0.6, 0.78, 0.95, 1.1, 1.25),
        body_widths=near((0.95, 0.97, 0.98, 1.02, 1.08, 1.02, 0.75, 0.45), 0.025),
        body_exponent=rng.uniform(2.1, 2.7),
        wall=rng.uniform(13, 25),
        belly=rng.uniform(-12, 24),
        bend_from=-9.0,
        lean=rng.uniform(-0.12, 0.32),
        lumbar=rng.uniform(0.5, 1.1),
        follow=rng.uniform(0.2, 0.85),
        sheath_widths=near(np.array((11.5, 15, 23, 28, 26.5, 28)) * rng.uniform(0.8, 1.25), 1.5),
        sheath_x=rng.uniform(0, 8),
        sheath_y=rng.uniform(38, 54),
        sheath_depth=rng.uniform(32, 44),
        septum=rng.uniform(3, 19),
        column=rng.uniform(15, 22),
        chest=rng.uniform(0, 16),
        dome_y=rng.uniform(-36, -4),
        dome_right_y=rng.uniform(-40, -8),
        dome_back=rng.uniform(0.85, 1.08),
        dome_side=rng.uniform(0.55, 0.8),
        dome_front=rng.uniform(1.1, 2.2),
    )


def _draw_couch(rng: Random) -> Couch:
    gap = rng.uniform(10, 48)
    return Couch(
        gap=gap,
        curve=float(1 / rng.uniform(1e-6, 1 / 700)),
        edge=gap + rng.uniform(8, 40),
        hull=rng.uniform(0, 35),
        wall=rng.uniform(1.5, 3),
        wall_hu=rng.uniform(-300, 350),
        foam_hu=rng.uniform(-970, -880),
        mat_hu=rng.uniform(-980, -925),
        mat=gap + 4,
    )


def _draw_limbs(rng: Random, width: float, fat: float) -> Limbs:
    raised = rng.random() < 0.92
    aside = rng.uniform(0.5, 1.2)
    return Limbs(
        shoulder=width * rng.uniform(1.0, 1.3) + 0.5 * fat,
        shoulder_z=rng.uniform(-40, 15) if raised else rng.uniform(-60, -25),
        shoulder_y=rng.uniform(-50, 3),
        arm=(aside, rng.uniform(-0.6, 0.3), rng.uniform(0.5, 1.2)) if raised else (0.12, 0.1, -1.0),
        radius=rng.uniform(37, 49) + 0.6 * fat,
        neck=rng.uniform(50, 64) + 0.3 * fat,
        chin=rng.uniform(5, 130),
        chin_reach=rng.uniform(40, 130),
    )


def _draw_warp(rng: Random) -> Warp:
    """Long waves, which change a patient's build, and short ones, which shift organs against each other."""
    turn = _point(np.radians(rng.normal(0, (2.5, 1.5, 3.0))))
    scales = [(5.0, 180, 600)] * 3 + [(2.5, 80, 200)] * 4
    waves = tuple(
        (_point(rng.normal(0, size, 3)), _point(rng.uniform(low, high, 3)), _point(rng.uniform(0, 2 * np.pi, 3)))
        for size, low, high in scales
    )
    return Warp(turn, waves)


def _point(values: ArrayLike) -> Point:
    x, y, z = map(float, np.asarray(values))
    return x, y, z


def _draw_disease(rng: Random, anatomy: Anatomy) -> Disease:
    """Fluid in one of ten, and consolidations in one of four."""
    side = int(rng.choice([-1, 1])) if rng.random() < 0.1 else 0
    patches = []
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.25 else 0):
        x = rng.choice([-1, 1]) * rng.uniform(0.25, 0.95) * anatomy.cavity_half_width
        y, z = rng.uniform(-0.7, 0.9) * anatomy.cavity_half_depth, rng.uniform(anatomy.base + 30, anatomy.apex)
        patches.append((_point((x, y, z)), _point(rng.uniform(8, 38, 3)), rng.uniform(-350, 60)))
    return Disease(side, rng.uniform(0.05, 0.3), tuple(patches))
