"""Turning images upright: every pair of directions, every orientation tag."""

from itertools import product

import numpy as np
from PIL import Image, ImageOps
import pytest

from dx2ct.predict.turn import BY_ORIENTATION, turn_between
from dx2ct.predict.view import DIRECTIONS, said_view

ASYMMETRIC = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
AXES = {"L": ("x", 1), "R": ("x", -1), "P": ("y", 1), "A": ("y", -1), "H": ("z", 1), "F": ("z", -1)}


def seen(row: str, column: str) -> np.ndarray:
    """An image of a plane in the patient whose every pixel is unlike the others, with these directions."""
    (across, sign), (down, other) = AXES[row], AXES[column]
    place = {across: sign * np.arange(-3, 4)[None, :], down: other * np.arange(-3, 4)[:, None]}
    return 100 * place.get("x", 0) + 100 * place.get("y", 0) + place.get("z", 0)


@pytest.mark.parametrize("view", DIRECTIONS)
def test_any_directions_of_its_plane_become_those_of_the_view(view: str):
    wanted = DIRECTIONS[view]
    across = {"pa": "LR", "lateral": "AP"}[view]
    turns = set()
    for row, column in [*product(across, "HF"), *product("HF", across)]:
        turn = turn_between((row, column), wanted)
        assert turn is not None
        np.testing.assert_array_equal(turn.of(seen(row, column)), seen(*wanted))
        assert bool(turn) == ((row, column) != wanted)
        turns.add(str(turn))
    assert len(turns) == 8
    for row, column in (*product("LRAP", "LRAP"), *product({"L": "AP", "P": "LR"}[wanted[0]], "HF")):
        assert turn_between((row, column), wanted) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_tag_means_what_pillow_makes_of_it(orientation: int):
    image = Image.fromarray(ASYMMETRIC)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(BY_ORIENTATION[orientation].of(ASYMMETRIC), expected)


@pytest.mark.parametrize(
    ("position", "view"),
    [("PA", "pa"), ("AP", "pa"), ("LL", "lateral"), ("RL", "lateral"), ("L LAT", "lateral"), ("Lateral", "lateral"),
     ("", None), ("LLO", None), ("RLD", None), ("PA LAT", None), ("STERNUM", None)],
)  # fmt: skip
def test_the_view_that_a_view_position_names(position: str, view: str | None):
    assert said_view(position) == view
