"""A volume made consistent with X-rays."""

import numpy as np
import pytest

from drr.attenuation import PLASTIMATCH
from drr.geometry import ConeBeam
from drr.projector import Projector
from drr.volume import Volume
from dx2ct.config import ConsistencySettings
from dx2ct.samplers.consistency import consistent, RAYS, residual
from tests.fabricate import body, SIZE

BEAM = ConeBeam(541.0, 949.0, 500.0, 64)
VIEWS = [BEAM.view(view, (0.0, 0.0, 0.0)) for view in ("pa", "lateral")]
GRID = Volume.empty((SIZE,) * 3, (10.0,) * 3, (-5.0 * (SIZE - 1),) * 3)
PROJECTOR = Projector(GRID, VIEWS, SIZE, RAYS, threads=1)


def options(**changes: object) -> ConsistencySettings:
    return ConsistencySettings(**{"iterations": 6, "weight": 1.0, "smooth_mm": 0.0, "when": "end"} | changes)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return body(2).astype(np.float32)


@pytest.fixture(scope="module")
def wrong(truth: np.ndarray) -> np.ndarray:
    """Too dense, and more so in front."""
    y = np.arange(SIZE, dtype=np.float32)[:, None]
    return np.where(truth > -800, truth + 60 + 4 * y, truth).astype(np.float32)


def integrals_of(hu: np.ndarray) -> np.ndarray:
    return PROJECTOR(PLASTIMATCH(hu).astype(np.float32))


@pytest.mark.parametrize("smooth_mm", [0.0, 10.0])
def test_the_residual_falls_and_the_volume_comes_nearer(truth: np.ndarray, wrong: np.ndarray, smooth_mm: float):
    seen = integrals_of(truth)
    better = consistent(PROJECTOR, wrong, seen, options(smooth_mm=smooth_mm))
    assert residual(PROJECTOR, better, seen) < 0.2 * residual(PROJECTOR, wrong, seen)
    assert np.abs(better - truth).mean() < 0.7 * np.abs(wrong - truth).mean()


def test_more_iterations_leave_less(truth: np.ndarray, wrong: np.ndarray):
    seen = integrals_of(truth)
    left = [residual(PROJECTOR, consistent(PROJECTOR, wrong, seen, options(iterations=n)), seen) for n in (1, 3, 9)]
    assert left[0] > left[1] > left[2]


def test_air_stays_air_and_tissue_tissue(truth: np.ndarray, wrong: np.ndarray):
    better = consistent(PROJECTOR, wrong, 0.2 * integrals_of(truth), options())
    air = wrong <= PLASTIMATCH.threshold
    np.testing.assert_array_equal(better[air], wrong[air])
    assert (better[~air] > PLASTIMATCH.threshold).all()


def test_a_consistent_volume_stays_and_so_does_one_without_weight(truth: np.ndarray, wrong: np.ndarray):
    np.testing.assert_allclose(consistent(PROJECTOR, truth, integrals_of(truth), options()), truth, atol=0.5)
    np.testing.assert_array_equal(consistent(PROJECTOR, wrong, integrals_of(truth), options(weight=0.0)), wrong)
