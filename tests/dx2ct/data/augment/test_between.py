"""One patient's tissue in another one's shape: the field fits, does not fold, and keeps the heart on its side."""

import numpy as np
import torch

from dx2ct.data.augment.between import moved, shape_field
from dx2ct.data.augment.warp import warped
from tests.dx2ct.data.augment.test_copies import copier, trunk

SLIM, STOUT = trunk(0.8, 0.85, -800), trunk(1.1)


def cube() -> torch.Tensor:
    axis = (torch.arange(48) + 0.5) / 24 - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def there(field: torch.Tensor, tissue: np.ndarray) -> np.ndarray:
    return warped(torch.from_numpy(tissue).float(), moved(cube(), field)).numpy()


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.clip(one, -1000, 300) - np.clip(other, -1000, 300)) ** 2.0)))


def test_a_patient_has_the_other_ones_shape_and_keeps_his_tissue() -> None:
    field = shape_field(STOUT, SLIM)
    new = there(field, SLIM)
    assert difference(new, STOUT) < 0.5 * difference(SLIM, STOUT)
    both = (STOUT == -850) & (new < -500)
    assert both.sum() > 0.8 * (STOUT == -850).sum(), "the lungs lie where his are"
    assert abs(np.median(new[both]) + 800) < 1, "and are as dense as they were"


def test_the_way_is_gone_by_parts() -> None:
    field = shape_field(STOUT, SLIM)
    slim, half, stout = (int((there(field * part, SLIM) > -500).sum()) for part in (0.0, 0.5, 1.0))
    assert slim + 0.3 * (stout - slim) < half < slim + 0.7 * (stout - slim) and stout > 1.2 * slim
    np.testing.assert_array_equal(there(field * 0, SLIM), there(torch.zeros_like(field), SLIM))


def test_nobody_moves_to_himself_and_the_same_pair_has_the_same_field() -> None:
    assert float(shape_field(SLIM, SLIM).abs().max()) < 0.02
    assert torch.equal(shape_field(STOUT, SLIM), shape_field(STOUT, SLIM))


def test_a_field_does_not_fold_the_volume() -> None:
    field = shape_field(SLIM, STOUT).numpy()
    of_xyz = np.stack(np.gradient(field, 2 / 48, axis=(3, 2, 1)), axis=1)  # (component, along x y z, z, y, x)
    determinant = np.linalg.det(np.moveaxis(of_xyz, (0, 1), (-2, -1)) + np.eye(3))
    assert determinant.min() > 0


def test_the_heart_stays_on_its_side() -> None:
    field = shape_field(STOUT, SLIM)
    for seed in range(5):
        made = copier(tissue=0.0, arms=0.0).copy(np.random.default_rng(seed), SLIM, None, shape=field)
        heart = (made.hu > 150).nonzero().double().mean(dim=0)
        assert float(heart[2]) > 24, "at the patient's left"


def test_a_field_without_moves_changes_nothing() -> None:
    one, same = (
        copier().copy(np.random.default_rng(1), SLIM, None, shape=shape) for shape in (None, torch.zeros(3, 48, 48, 48))
    )
    assert torch.equal(one.hu, same.hu) and torch.equal(one.xrays, same.xrays)
