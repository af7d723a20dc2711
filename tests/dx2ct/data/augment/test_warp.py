"""The warp of a cube: what its parts do, and that it never folds or mirrors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dx2ct.config.augment import AugmentSettings
from dx2ct.config.keys import BadKeyError
from dx2ct.data.augment.warp import draw_warp, rotation, spline_weights, Warp, warped
from dx2ct.data.planes import cube_coordinates

CPU = torch.device("cpu")
STILL = {name: 0.0 for name in ("rotation_deg", "scale", "stretch", "shear", "shift_mm", "elastic_mm", "breath")}
SIDE_MM = 320.0


def drawn(seed: int = 0, **settings: float) -> Warp:
    return draw_warp(np.random.default_rng(seed), AugmentSettings(**STILL | settings), SIDE_MM)  # type: ignore[arg-type]


def test_without_strength_nothing_moves() -> None:
    points = drawn().points(12, CPU)
    np.testing.assert_allclose(points, cube_coordinates(12), atol=1e-6)
    volume = torch.rand(12, 12, 12)
    torch.testing.assert_close(warped(volume, points), volume, atol=1e-3, rtol=0)


def test_a_shift_of_a_voxel_moves_the_volume_by_one() -> None:
    still = drawn()
    voxels = np.array([1, -2, 3])  # x, y, z
    affine = np.concatenate([np.eye(3), (-voxels * 2 / 16)[:, None]], axis=1)
    volume = torch.rand(16, 16, 16)
    moved = warped(volume, replace(still, affine=affine).points(16, CPU))
    there = torch.roll(volume, (3, -2, 1), dims=(0, 1, 2))
    torch.testing.assert_close(moved[3:, :-2, 1:], there[3:, :-2, 1:], atol=1e-3, rtol=0)


def test_turns_are_right_handed() -> None:
    x, y, z = np.eye(3)
    np.testing.assert_allclose(rotation(np.array([90.0, 0, 0])) @ y, z, atol=1e-12)
    np.testing.assert_allclose(rotation(np.array([0, 90.0, 0])) @ z, x, atol=1e-12)
    np.testing.assert_allclose(rotation(np.array([0, 0, 90.0])) @ x, y, atol=1e-12)


def test_spline_weights_add_up_and_reproduce_a_line() -> None:
    weights = spline_weights(8, 40)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(40))
    line = weights @ torch.arange(-1.0, 7.0)
    torch.testing.assert_close(line, (torch.arange(40) + 0.5) / 40 * 5)


@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_field_folds_nothing_and_mirrors_nothing(seed: int) -> None:
    settings = AugmentSettings(
        rotation_deg=30, scale=0.3, stretch=0.2, shear=0.2, elastic_mm=SIDE_MM / 5 / 2.48 * 0.699, breath=0.3
    )
    settings.require_inside(SIDE_MM)
    points = draw_warp(np.random.default_rng(seed), settings, SIDE_MM).points(48, CPU).double()
    along = [torch.gradient(points, dim=axis)[0] for axis in (2, 1, 0)]  # by x, y, z
    assert float(torch.linalg.det(torch.stack(along, dim=-1)).min()) > 0


def test_the_breath_moves_the_middle_alone() -> None:
    points = replace(drawn(), breath=(0.1, 0.5, 0.2)).points(64, CPU)
    moved = points[..., 2] - torch.from_numpy(cube_coordinates(64))[..., 2]
    z = torch.from_numpy(cube_coordinates(64))[:, 0, 0, 2]
    assert float(moved[(z - 0.1).abs() > 0.5].abs().max()) < 1e-6
    assert float(moved.abs().max()) == pytest.approx(0.2 * 0.5 / np.pi, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"shift_mm": 80.0}, "shift_mm"), ({"elastic_mm": 25.0}, "elastic_mm"), ({"elastic_points": 20}, "elastic_mm")],
)
def test_what_leaves_the_cube_or_folds_it_is_refused(settings: dict[str, float], key: str) -> None:
    with pytest.raises(BadKeyError, match=key):
        AugmentSettings(**settings).require_inside(SIDE_MM)  # type: ignore[arg-type]
