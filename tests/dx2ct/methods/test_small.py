"""The further weight of lift's loss on what is small and dense in the lung."""

import pytest
import torch
from torch.nn.functional import l1_loss, mse_loss

from dx2ct.methods.layers.example import Example
from dx2ct.methods.lift.method import IMPLEMENTATION
from dx2ct.methods.lift.small import small_in_lung
from tests.fabricate import tiny

AIR_HU, TISSUE_HU, SIDE, VOXEL_MM = -850.0, 50.0, 32, 5.0


def hu(value: float) -> float:
    return (value + 1024) / 2500


def lung() -> torch.Tensor:
    """A lung in a body, (1, 1, z, y, x)."""
    volume = torch.full((1, 1, SIDE, SIDE, SIDE), hu(TISSUE_HU))
    volume[..., 4:28, 4:28, 4:28] = hu(AIR_HU)
    return volume


@pytest.mark.parametrize("across", [1, 2, 4])  # voxels: nodules of 5, 10 and 20 mm
def test_a_nodule_is_found_whole(across: int) -> None:
    volume = lung()
    place = (..., *[slice(14, 14 + across)] * 3)
    volume[place] = hu(TISSUE_HU)
    small = small_in_lung(volume, VOXEL_MM)
    assert (small[place] == 1).all()
    assert small.count_nonzero() == across**3


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_a_vessel_the_wall_and_a_mass_are_not_small(axis: int) -> None:
    volume = lung()
    assert small_in_lung(volume, VOXEL_MM).count_nonzero() == 0
    vessel = volume.clone()
    vessel.movedim(axis, -1)[..., 14:16, 14:16, 6:20] = hu(TISSUE_HU)
    assert small_in_lung(vessel, VOXEL_MM).count_nonzero() == 0
    volume[..., 10:18, 10:18, 10:18] = hu(TISSUE_HU)  # 40 mm
    assert small_in_lung(volume, VOXEL_MM).count_nonzero() == 0


def test_calcium_in_soft_tissue_and_a_bubble_are_not_in_the_lung() -> None:
    body = torch.full((1, 1, SIDE, SIDE, SIDE), hu(TISSUE_HU))
    body[..., 14:16, 14:16, 14:16] = hu(800)
    assert small_in_lung(body, VOXEL_MM).count_nonzero() == 0
    body[..., 14:16, 14:16, 14:16] = hu(-1000)
    assert small_in_lung(body, VOXEL_MM).count_nonzero() == 0


def test_half_the_contrast_counts_half() -> None:
    volume = lung()
    volume[..., 14, 14, 14] = hu(AIR_HU + 250)
    assert small_in_lung(volume, VOXEL_MM)[..., 14, 14, 14] == pytest.approx(0.5, abs=1e-5)


def test_the_loss_without_the_weight_is_what_it_was_and_with_it_sees_the_nodule() -> None:
    target = lung()
    target[..., 14:16, 14:16, 14:16] = hu(TISSUE_HU)
    plain, weighted = tiny("lift"), tiny("lift", model={"nodule_weight": 30.0})
    missed = Example((), target)
    losses = [IMPLEMENTATION.loss(settings, lung(), missed, None) for settings in (plain, weighted)]
    assert losses[0] == mse_loss(lung(), target) + plain.model.l1_weight * l1_loss(lung(), target)
    assert losses[1] - losses[0] == pytest.approx(30 * float(mse_loss(lung(), target)), rel=1e-4)
