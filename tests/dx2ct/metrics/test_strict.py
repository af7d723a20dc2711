"""The project's own metrics: their laws, and parity with scikit-image."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from dx2ct.metrics import Evaluation
from dx2ct.metrics.strict import mae_hu, psnr_db, ssim
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body


def noisy(sigma_hu: float, **known: float) -> Evaluation:
    """A body against itself with noise that stays inside the window."""
    noise = np.random.default_rng(0).uniform(0, 1.5 * sigma_hu, body(0).shape)
    return evaluation(body(0), body(0) + noise, **known)


def test_equal_volumes_are_perfect():
    same = evaluation(body(0), body(0))
    assert psnr_db(same) == np.inf and ssim(same) == pytest.approx(1) and mae_hu(same) == 0


def test_values_outside_the_window_do_not_count():
    padded, metal = body(0), body(0)
    padded[padded == -1024] = -3024
    metal[16, 16, 16], other = 3000, body(0)
    other[16, 16, 16] = 1476
    assert psnr_db(evaluation(body(0), padded)) == np.inf
    assert mae_hu(evaluation(metal, other)) == 0


def test_more_noise_is_worse():
    levels = [noisy(sigma) for sigma in (5, 20, 80, 320)]
    for metric, direction in ((psnr_db, -1), (ssim, -1), (mae_hu, 1)):
        values = [direction * metric(level) for level in levels]
        assert values == sorted(values)


@settings(deadline=None, max_examples=20)
@given(st.floats(1, 400))
def test_a_constant_offset_has_closed_forms(offset_hu):
    truth = np.full((16, 16, 16), -500.0)
    moved = evaluation(truth, truth + offset_hu)
    assert mae_hu(moved) == pytest.approx(offset_hu)
    assert psnr_db(moved) == pytest.approx(20 * np.log10(2500 / offset_hu))


def test_peak_4095_adds_4_286_db():
    assert psnr_db(noisy(50, data_range_hu=4095.0)) - psnr_db(noisy(50)) == pytest.approx(4.286, abs=5e-4)


def test_metrics_are_symmetric():
    there = noisy(100)
    back = evaluation(there.image, there.truth)
    assert psnr_db(there) == psnr_db(back) and mae_hu(there) == mae_hu(back)
    assert ssim(there) == pytest.approx(ssim(back), abs=1e-12)


def test_psnr_is_scikit_image_s():
    found = noisy(100)
    unit = [np.clip((volume + 1024.0) / 2500, 0, 1) for volume in (found.truth, found.image)]
    assert psnr_db(found) == pytest.approx(peak_signal_noise_ratio(*unit, data_range=1), abs=1e-9)
