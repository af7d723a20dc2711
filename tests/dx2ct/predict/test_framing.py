"""Framing of X-rays, and what looks wrong about them."""

import numpy as np
import pytest

from drr.errors import InputError
from dx2ct.predict.framing import Framing, oriented, parse_framings, squared
from dx2ct.predict.xray import Xray
from tests.fabricate import (
    film,
    pa,
)


def test_framing_is_crop_then_rotate_then_flip():
    array = np.arange(6 * 8, dtype=float).reshape(6, 8)
    integrals = Xray(array.astype(np.float32), "integrals", "a.mha")
    got = oriented(integrals, Framing(crop=(1, 2, 7, 6), rotate=90, flip=True))
    np.testing.assert_array_equal(got, np.rot90(array[2:6, 1:7], -1)[:, ::-1])
    square = squared(got)
    assert square.shape == (6, 6) and (square[:, 0] == 0).all() and (square[:, -1] == 0).all()
    np.testing.assert_array_equal(square[:, 1:5], got)


def test_a_film_does_not_depend_on_its_units_and_a_negative_is_undone():
    one = oriented(film(pa()), Framing())
    assert one.min() == 0 and one.max() == 1
    np.testing.assert_allclose(oriented(film(37 + 900 * pa()), Framing()), one, atol=1e-5)
    np.testing.assert_allclose(oriented(film(1 - pa()), Framing(invert=True)), one, atol=1e-5)


def test_framing_of_the_command_line_and_its_mistakes():
    found = parse_framings(["pa", "lateral"], ["pa:1,2,30,40"], ["lateral:270"], ["lateral"], [])
    assert found == {"pa": Framing(crop=(1, 2, 30, 40)), "lateral": Framing(rotate=270, flip=True)}
    for words in (["pa"], ["pa:1,2"], ["pa:a,b,c,d"], ["ap:1,2,3,4"]):
        with pytest.raises(InputError, match="--crop "):
            parse_framings(["pa"], words, [], [], [])
    with pytest.raises(InputError, match="--flip lateral: say VIEW, where VIEW is pa"):
        parse_framings(["pa"], [], [], ["lateral"], [])
    with pytest.raises(InputError, match="rotate 45: a multiple of 90"):
        parse_framings(["pa"], [], ["pa:45"], [], [])
    with pytest.raises(InputError, match=r"does not lie inside its 160 x 200 pixels"):
        oriented(film(pa()), Framing(crop=(0, 0, 161, 10)))
    with pytest.raises(InputError, match="bone bright already"):
        oriented(Xray(pa().astype(np.float32), "integrals", "a.mha"), Framing(invert=True))


@pytest.mark.parametrize(
    ("option", "words", "reason"),
    [
        ("rotate", ["pa:90", "lateral:90", "pa:180"], "--rotate pa:180: pa has an --rotate already"),
        ("crop", ["pa:1,2,3,4", "pa:1,2,3,5"], "--crop pa:1,2,3,5: pa has"),
        ("flip", ["pa", "pa"], "--flip pa: pa has"),
        ("spacing_mm", ["0.5", "0.9"], "--spacing-mm 0.5 and 0.9: said twice of one view, or of all"),
        ("sid_mm", ["pa:1500", "1800", "pa:1600"], "--sid-mm pa:1500 and 1800 and pa:1600: said twice"),
    ],
)
def test_what_is_said_twice_of_a_view_is_refused(option: str, words: list[str], reason: str):
    """None of both is meant for sure; of all views and of one is no contradiction."""
    with pytest.raises(InputError, match=reason):
        parse_framings(["pa", "lateral"], **{option: words})
    found = parse_framings(["pa", "lateral"], spacing_mm=["pa:0.5", "0.9"])
    assert (found["pa"].spacing_mm, found["lateral"].spacing_mm) == (0.5, 0.9)
