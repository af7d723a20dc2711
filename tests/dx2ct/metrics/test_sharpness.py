"""Power of fine detail: its laws, and parity with the full spectrum."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dx2ct.metrics.sharpness import sharpness
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body


def test_a_volume_is_as_sharp_as_itself_and_a_shift_of_grey_changes_nothing() -> None:
    assert sharpness(evaluation(body(0), body(0))) == pytest.approx(1)
    truth = np.clip(body(0), -800, 800)
    assert sharpness(evaluation(truth, truth + 100)) == pytest.approx(1)


def test_blur_lowers_it_and_noise_raises_it() -> None:
    truth = body(0).astype(np.float32)
    blurred = [sharpness(evaluation(truth, gaussian_filter(truth, sigma))) for sigma in (0.3, 0.6, 1.2, 2.4)]
    assert blurred == sorted(blurred, reverse=True) and blurred[0] < 1 and blurred[-1] < 0.01
    noise = np.random.default_rng(0).normal(0, 100, truth.shape)
    assert sharpness(evaluation(truth, truth + noise)) > 1.1


@pytest.mark.parametrize("size", [(8, 9, 10), (9, 8, 7)])
def test_it_is_the_ratio_of_the_whole_spectrum_s_power(size: tuple[int, int, int]) -> None:
    """Told by the definition, with every term of the transform written out."""
    random = np.random.default_rng(1)
    truth, image = random.normal(0, 200, (2, *size))
    axes = np.meshgrid(*(np.fft.fftfreq(n) for n in size), indexing="ij")
    fine = np.sqrt(sum(axis**2 for axis in axes)) > 0.25
    windows = np.meshgrid(*(np.sin(np.pi * np.arange(n) / (n - 1)) ** 2 for n in size), indexing="ij")
    power = [
        (np.abs(np.fft.fftn((volume - volume.mean()) * np.prod(windows, axis=0))) ** 2)[fine].sum()
        for volume in (truth, image)
    ]
    assert sharpness(evaluation(truth, image)) == pytest.approx(power[1] / power[0])


def test_a_ct_without_detail_has_none() -> None:
    assert np.isnan(sharpness(evaluation(np.zeros((8, 8, 8)), body(0)[:8, :8, :8])))
