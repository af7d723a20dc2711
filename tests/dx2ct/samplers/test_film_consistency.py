"""A volume made consistent with films, whose grey has no unit."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
import pytest

from dx2ct.config import ConsistencySettings
from dx2ct.samplers.consistency import consistent, residual
from dx2ct.samplers.film_consistency import curve_to, film_consistent
from tests.dx2ct.samplers.test_consistency import integrals_of, options, PROJECTOR
from tests.fabricate import body, SIZE

Array = NDArray[np.float32]
ONE: ConsistencySettings = options(iterations=2)


@pytest.fixture(scope="module")
def truth() -> Array:
    return body(2).astype(np.float32)


@pytest.fixture(scope="module")
def wrong(truth: Array) -> Array:
    """Denser in front than behind, but no denser: a film could not tell that."""
    y = np.arange(SIZE, dtype=np.float32)[:, None]
    hu = np.where(truth > -800, truth + 12 * (SIZE / 2 - y), truth)
    return np.asarray(hu, np.float32)


def films_of(hu: Array, curve: Callable[[Array], Array]) -> list[Array]:
    """Grey in [0, 1], nothing clipped but air."""
    return [curve(one / one.max() * np.float32(0.99)) for one in integrals_of(hu)]


CURVES: dict[str, Callable[[Array], Array]] = {
    "straight": lambda share: share,
    "root": np.sqrt,
    "sigmoid": lambda share: np.where(share > 0, 1 / (1 + np.exp(-8 * (share - 0.5))), 0),
}


@pytest.mark.parametrize("name", CURVES)
def test_whatever_the_exposure_the_x_rays_agree_as_with_line_integrals(truth: Array, wrong: Array, name: str):
    seen = integrals_of(truth)
    better = film_consistent(PROJECTOR, wrong, films_of(truth, CURVES[name]), ONE)
    exact = consistent(PROJECTOR, wrong, seen, ONE)
    before, after, best = (residual(PROJECTOR, hu, seen) for hu in (wrong, better, exact))
    assert best < 0.5 * before
    assert after < 0.75 * before


def test_a_volume_that_explains_its_films_stays(truth: Array):
    better = film_consistent(PROJECTOR, truth, films_of(truth, np.sqrt), ONE)
    assert np.abs(better - truth).mean() < 2


def test_a_curve_rises_and_knows_no_scale():
    rng = np.random.default_rng(0)
    xray = rng.uniform(0, 5, (40, 40)).astype(np.float32)
    film, counts = (xray / 5) ** 2, np.ones(xray.shape, bool)
    np.testing.assert_allclose(curve_to(xray, film, counts), xray, atol=0.3)
    noisy = curve_to(xray + rng.normal(0, 1, xray.shape).astype(np.float32), film, counts)
    assert (np.diff(noisy.ravel()[np.argsort(film.ravel())]) >= -1e-5).all()
    np.testing.assert_array_equal(curve_to(xray, film, ~counts), xray)  # nothing counts, nothing is wrong
    flat = np.full_like(film, 0.5)
    np.testing.assert_array_equal(curve_to(xray, flat, counts), xray)


def test_what_was_clipped_says_nothing(truth: Array, wrong: Array):
    films = films_of(truth, np.sqrt)
    for film in films:
        film[:, :6] = 0  # a border that became air
    half = film_consistent(PROJECTOR, wrong, [np.ones_like(film) for film in films], ONE)
    np.testing.assert_array_equal(half, wrong)
    better = film_consistent(PROJECTOR, wrong, films, ONE)
    before, after = (np.abs(integrals_of(hu) - integrals_of(truth))[:, :, 8:].mean() for hu in (wrong, better))
    assert after < 0.8 * before
