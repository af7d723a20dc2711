"""Changed copies: their X-rays are those of their volume, and each part does what it says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from drr.attenuation import named
from drr.caster import render
from drr.volume import AIR_HU
from dx2ct.config import XraySettings
from dx2ct.config.augment import AugmentSettings, ExposureSettings
from dx2ct.data.augment.copies import Copier
from dx2ct.data.augment.exposure import draw_exposures
from dx2ct.data.augment.surroundings import add_arms, add_couch, body, cut_circle, cut_height
from dx2ct.data.augment.tissue import draw_curve, through
from dx2ct.data.grid import CubeGrid

GRID = CubeGrid(48, 320 / 48)
NAMES = ("pa", "lateral")
CPU = torch.device("cpu")
MOVING = ExposureSettings(distance=0.2, magnification=0.1, tilt_deg=5.0, off_centre_mm=15.0)


def trunk(width: float = 1.0, height: float = 1.0, lung_hu: int = -850) -> np.ndarray:
    """A body of water with two lungs and a bright heart on the patient's left, (z, y, x) HU, and a plate behind it."""
    axis = (np.arange(48) + 0.5) * GRID.spacing_mm - 160
    z, y, x = np.meshgrid(axis / height, axis, axis / width, indexing="ij")
    hu = np.full((48, 48, 48), AIR_HU, np.int16)
    hu[(x / 130) ** 2 + (y / 85) ** 2 < 1] = 40
    for side in (-1, 1):
        hu[((x - side * 65) / 45) ** 2 + (y / 60) ** 2 + (z / 120) ** 2 < 1] = lung_hu
    hu[(x - 35) ** 2 + (y + 20) ** 2 + (z + 30) ** 2 < 45**2] = 300
    hu[(y > 115) & (y < 135)] = -100
    return hu


def copier(**settings: Any) -> Copier:
    return Copier(AugmentSettings(share=1.0, **settings), XraySettings(), NAMES, GRID, 64, CPU)


@pytest.mark.parametrize("law", ["plastimatch", "mixture", "water"])
@pytest.mark.parametrize("seed", range(3))
def test_the_xrays_are_those_of_the_warped_volume(seed: int, law: str) -> None:
    made = replace(copier(noise=0.0, exposure=MOVING), xray=XraySettings(attenuation=law))
    copy = made.copy(np.random.default_rng(seed), trunk(), body(trunk(), GRID.spacing_mm))
    volume = GRID.volume(copy.hu.numpy().astype(np.int16))
    views = [view.resized(128) for view in copy.exposures.values()]
    fine = render(volume, views, "numpy", attenuation=named(law))
    expected = fine.reshape(2, 64, 2, 64, 2).mean(axis=(2, 4))
    error = np.abs(copy.xrays.numpy() - expected).max() / expected.max()
    assert error < 1e-3


def test_a_copy_is_decided_by_its_generator_and_another_is_another() -> None:
    one, same, other = (copier().copy(np.random.default_rng(seed), trunk(), None) for seed in (1, 1, 2))
    assert torch.equal(one.hu, same.hu) and torch.equal(one.xrays, same.xrays) and one.exposures == same.exposures
    assert not torch.equal(one.hu, other.hu)


def test_the_heart_stays_on_its_side() -> None:
    for seed in range(20):
        hu = copier(tissue=0.0, arms=0.0).copy(np.random.default_rng(seed), trunk(), None).hu
        heart = (hu > 150).nonzero().double().mean(dim=0)
        assert float(heart[2]) > 24, "at the patient's left"
        assert float(heart[1]) < 24, "in front"


def test_the_body_is_the_patient_with_lungs_and_without_the_couch() -> None:
    there, hu = body(trunk(), GRID.spacing_mm), trunk()
    axis = (np.arange(48) + 0.5) * GRID.spacing_mm - 160
    assert not there[:, axis > 118].any()
    assert there[hu == -850].all() and there[hu == 300].all() and there[hu == 40].all()
    assert body(np.full((8, 8, 8), AIR_HU, np.int16), 40.0).all(), "nothing that could be the patient: all is kept"


def test_couch_and_arms_lie_outside_and_change_nothing_of_the_patient() -> None:
    hu = torch.from_numpy(np.where(body(trunk(), GRID.spacing_mm), trunk(), AIR_HU).astype(np.float32))
    axis = (torch.arange(48) + 0.5) * GRID.spacing_mm - 160
    for seed in range(8):
        couch = add_couch(np.random.default_rng(seed), hu, 320.0)
        new = couch != hu
        assert new.any() and not new[hu > -400].any()
        assert float(axis[new.any(dim=2).any(dim=0)].min()) > 30, "behind the middle"
        arms = add_arms(np.random.default_rng(seed), hu, 320.0) != hu
        assert arms.any() and not arms[hu > -400].any() and not arms[:, :, (axis.abs() < 60)].any()


def test_fields_of_view_leave_air_outside() -> None:
    hu = torch.zeros(48, 48, 48)
    axis = (torch.arange(48) + 0.5) * GRID.spacing_mm - 160
    round_ = cut_circle(np.random.default_rng(0), hu, 320.0)
    radius = torch.sqrt(axis[:, None] ** 2 + axis**2)
    assert (round_[:, radius > 0.6 * 320] == AIR_HU).all() and (round_[:, radius < 0.36 * 320] == 0).all()
    short = cut_height(np.random.default_rng(0), hu)
    kept = (short == 0).all(dim=2).all(dim=1)
    assert 0.65 * 48 - 1 <= int(kept.sum()) < 48 and kept[24], "the middle stays"


def test_a_curve_keeps_the_order_of_tissues() -> None:
    for seed in range(20):
        curve = draw_curve(np.random.default_rng(seed), 2.0)
        assert (np.diff(curve) >= 0).all() and curve[0] == AIR_HU
    straight = draw_curve(np.random.default_rng(0), 0.0)
    hu = np.array([-3000, -1024, -500, 0, 3000, 32767], np.int16)
    np.testing.assert_allclose(through(straight, hu), [-1024, -1024, -500, 0, 3000, 3072], atol=1e-3)


def test_exposures_lie_within_their_ranges_and_off_are_the_trainings_own() -> None:
    xray = XraySettings()
    own = xray.exposures(NAMES, pixels=64)
    assert draw_exposures(np.random.default_rng(0), ExposureSettings(), xray, NAMES, 64) == own
    distances = []
    for seed in range(200):
        for name, view in draw_exposures(np.random.default_rng(seed), MOVING, xray, NAMES, 64).items():
            axis = np.cross(view.column_step_mm, view.row_step_mm)
            straight = np.cross(own[name].column_step_mm, own[name].row_step_mm)
            cosine = axis @ straight / np.linalg.norm(axis) / np.linalg.norm(straight)
            assert cosine > np.cos(np.radians(5 * 1.8)), "no mirror, and no more than three turns of 5 degrees"
            distances.append(view.source_detector_mm)
    middle = xray.cone_beam.source_detector_mm
    assert 0.72 * middle < min(distances) < 0.8 * middle and 1.2 * middle < max(distances) < 1.32 * middle
