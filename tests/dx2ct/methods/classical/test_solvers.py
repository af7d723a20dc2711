"""Back-projection and SART: where they put what they see, and what they do to it."""

import numpy as np
import pytest

from drr.geometry import ConeBeam, PRESETS, View
from drr.projector import Projector
from drr.volume import Volume
from dx2ct.methods.classical.solvers import backprojected, ramp_filtered, sart

GRID = Volume.empty((32, 32, 32), (10.0, 10.0, 10.0), (-155.0, -155.0, -155.0))
BEAM = PRESETS["x2ct"].with_pixels(64)
VIEWS = [BEAM.view(name, (0.0, 0.0, 0.0)) for name in ("pa", "lateral")]
A = Projector(GRID, VIEWS)


def solved(kind: str, images: np.ndarray, views: list[View], grid: Volume) -> np.ndarray:
    if kind == "sart":
        return sart(images, views, grid, 5, 1.0, np.zeros(grid.array.shape, np.float32))
    return backprojected(images, views, grid, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["none", "ramp", "sart"])
def test_a_grain_is_found_where_it_lies(kind: str) -> None:
    """Off centre along every axis: a mirrored view would put it elsewhere."""
    mu = np.zeros(A.domain_shape, np.float32)
    mu[20:22, 10:12, 24:26] = 0.02
    found = solved(kind, A(mu), VIEWS, GRID)
    there = found[20:22, 10:12, 24:26].mean() / found.max()
    mirrored = [found[20:22, 10:12, 6:8], found[20:22, 20:22, 24:26], found[10:12, 10:12, 24:26]]
    assert there > 0.75 and max(abs(place).max() for place in mirrored) < 0.6 * found.max()


@pytest.mark.parametrize("kind", ["none", "ramp", "sart"])
def test_moving_patient_and_geometry_together_changes_nothing(kind: str) -> None:
    mu = np.random.default_rng(0).uniform(0, 0.02, A.domain_shape).astype(np.float32)
    images = A(mu)
    shift = (64.0, -32.0, 128.0)
    moved = Volume.empty((32, 32, 32), GRID.spacing_mm, (-155.0 + 64, -155.0 - 32, -155.0 + 128))
    there = solved(kind, images, [BEAM.view(name, shift) for name in ("pa", "lateral")], moved)
    here = solved(kind, images, VIEWS, GRID)
    np.testing.assert_allclose(there, here, atol=1e-4 * abs(here).max())


@pytest.mark.parametrize("kind", ["none", "ramp", "sart"])
def test_views_from_anywhere_on_detectors_that_are_not_square(kind: str) -> None:
    """Of a grain the most is found at the grain."""
    beam = ConeBeam(541.0, 949.0, (900.0, 1200.0), (90, 160))
    views = [beam.rotated(angle, 10.0, (0.0, 0.0, 0.0)) for angle in (20.0, 80.0, 140.0)]
    mu = np.zeros(A.domain_shape, np.float32)
    mu[18:20, 12:14, 20:22] = 0.02
    found = solved(kind, Projector(GRID, views)(mu), views, GRID)
    assert found[17:21, 11:15, 19:23].max() == found.max()


def test_plain_back_projection_of_a_uniform_body_is_the_body() -> None:
    """Every ray carries its mean over its way through the grid."""
    found = backprojected(A(np.full(A.domain_shape, 0.02, np.float32)), VIEWS, GRID, "none")
    met = A.T(np.ones(A.range_shape, np.float32)) > 1
    assert met.mean() > 0.9
    np.testing.assert_allclose(found[met], 0.02, rtol=1e-4)


def test_sart_comes_to_agree_with_the_xrays_and_is_never_negative() -> None:
    images = A(np.random.default_rng(0).uniform(0, 0.02, A.domain_shape).astype(np.float32))
    errors = []
    for iterations in (1, 4, 16):
        found = sart(images, VIEWS, GRID, iterations, 1.0, np.zeros(A.domain_shape, np.float32))
        assert found.min() >= 0
        errors.append(float(np.abs(A(found) - images).mean() / images.mean()))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.03


def test_sart_stays_at_a_start_that_agrees_with_the_xrays() -> None:
    mu = np.random.default_rng(0).uniform(0, 0.02, A.domain_shape).astype(np.float32)
    np.testing.assert_allclose(sart(A(mu), VIEWS, GRID, 3, 0.5, mu), mu, atol=1e-7)


def test_the_ramp_filter_takes_the_mean_away_and_keeps_an_edge() -> None:
    image = np.zeros((4, 64), np.float32)
    image[:, 20:44] = 1
    filtered = ramp_filtered(image, PRESETS["x2ct"].with_pixels((4, 64)).view("pa", (0.0, 0.0, 0.0)))
    assert abs(filtered[:, 28:36]).max() < 0.2 * filtered.max()
    assert filtered[2].argmax() in (20, 43) and filtered[2].argmin() in (19, 44)
