"""The standardisation that films of a training and films at work share."""

import numpy as np
import pytest

from drr.errors import InputError
from dx2ct.data.film import learnt_part, standardised


def film(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(3.0, 1.0, (60, 80)).astype(np.float32)


def test_no_unit_of_grey_reaches_a_network() -> None:
    grey = film()
    shown = standardised(grey)
    assert shown.min() == 0 and shown.max() == 1
    np.testing.assert_allclose(standardised(3000 * grey + 70), shown, atol=1e-4)
    np.testing.assert_allclose(standardised(-grey, inverted=True), shown, atol=1e-6)
    np.testing.assert_allclose(learnt_part(7 * shown - 2), learnt_part(shown), atol=1e-5)


def test_one_marker_in_two_hundred_pixels_changes_nothing() -> None:
    grey = film()
    marked = grey.copy()
    marked.flat[::400] = 1e6
    inside = (grey < np.percentile(grey, 98)) & (grey == marked)
    np.testing.assert_allclose(standardised(marked)[inside], standardised(grey)[inside], atol=0.15)


def test_what_is_blank_is_air_and_does_not_count() -> None:
    grey, blank = film(), np.zeros((60, 80), bool)
    blank[:20] = True
    alone = standardised(grey[20:])
    grey[:20] = 1e6
    shown = standardised(grey, blank)
    assert not shown[:20].any()
    np.testing.assert_array_equal(shown[20:], alone)
    assert not standardised(grey, blank, inverted=True)[:20].any()


def test_a_film_of_one_value_is_refused_and_a_part_of_one_stays() -> None:
    with pytest.raises(InputError) as error:
        standardised(np.full((9, 9), 7, np.float32))
    assert str(error.value) == "nearly all pixels have the one value 7: there is no image in it"
    flat = np.full((9, 9), 0.5, np.float32)
    assert np.array_equal(learnt_part(flat), flat)
