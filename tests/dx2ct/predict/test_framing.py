"""Framing of X-rays, and what looks wrong about them."""

from pathlib import Path

import numpy as np
import pytest

from drr.errors import InputError
from dx2ct.predict.checks import doubts
from dx2ct.predict.framing import Framing, oriented, parse_framings, squared
from dx2ct.predict.read import read_xray
from dx2ct.predict.xray import Xray
from tests.fabricate import (
    film,
    lateral,
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


def test_views_and_polarity_are_doubted():
    right = {"pa": oriented(film(pa()), Framing()), "lateral": oriented(film(lateral()), Framing())}
    assert doubts("pa", right["pa"]) == doubts("lateral", right["lateral"]) == []
    assert "looks like a lateral" in doubts("pa", right["lateral"])[0]
    assert "looks like a PA" in doubts("lateral", right["pa"])[0]
    for view, image in right.items():
        assert f"--invert {view}" in doubts(view, 1 - image)[0]
        assert all("a heuristic, at times wrong" in text for text in doubts(view, 1 - image))
    assert doubts("pa", right["lateral"], is_said=True) == doubts("lateral", right["pa"], is_said=True) == []
    assert "--rotate pa:180" in doubts("pa", right["pa"][::-1])[0]
    backwards = right["lateral"].copy()
    height, width = backwards.shape
    backwards[height // 8 : height // 2, : width // 3] = 0.9  # a back at the left
    assert "--flip lateral" in doubts("lateral", backwards)[0]
    assert doubts("lateral", backwards[:, ::-1]) == []
    assert doubts("lateral", backwards, is_oriented=True) == []


def test_real_films_are_recognised(real_data: Path):
    """Every negative is doubted, 11 of 12 lateral films as PA, 77 of 80 PA films upside down. Of the films as they are,
    the seven laterals that face right are doubted, and one that faces left, with arms raised in front."""
    swapped, turned, backwards = [], [], set()
    for path in sorted((real_data / "xray").glob("*.png")):
        view = path.name.partition("_")[0]
        image = oriented(read_xray(path), Framing())
        if found := doubts(view, image):
            assert "--flip lateral" in found[0] and doubts(view, image, is_oriented=True) == [], path
            backwards.add(path.stem)
        assert "--invert" in " ".join(doubts(view, 1 - image)), path
        swapped += [bool(doubts("pa", image))] if view == "lateral" else []
        turned += [any("upside down" in text for text in doubts(view, image[::-1]))] if view == "pa" else []
    assert sum(swapped) >= 11 and sum(turned) >= 77
    assert backwards == {f"lateral_{number:03d}" for number in (2, 3, 4, 5, 6, 7, 10, 11)}
