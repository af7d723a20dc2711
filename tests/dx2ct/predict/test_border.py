"""Collimated borders: what is no image becomes air, and an image stays one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dx2ct.predict.border import image_box, without_border
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.read import read_xray
from tests.fabricate import film, lateral, pa

SIZES = [(0, 0, 0, 0), (30, 0, 30, 0), (0, 40, 0, 0), (20, 30, 10, 25), (0, 0, 0, 3), (1, 1, 1, 1)]


@pytest.mark.parametrize("view", ["pa", "lateral"])
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("grey", [1.2, -0.3])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_border_does_not_change_the_image_inside(view: str, invert: bool, grey: float, sizes: tuple[int, ...]):
    """A film with a border is the film itself in the middle, and air around it, whatever its polarity."""
    image = {"pa": pa, "lateral": lateral}[view]()
    left, top, right, bottom = sizes
    bordered = np.pad(image, ((top, bottom), (left, right)), constant_values=grey)
    how = Framing(invert=invert)
    found = without_border(view, film(1 - bordered if invert else bordered), how)
    got, alone = oriented(found, how), oriented(film(image), Framing())
    inside = got[top : top + len(image), left : left + image.shape[1]]
    np.testing.assert_allclose(inside, alone, atol=1e-4)
    assert got.sum() == pytest.approx(inside.sum(), rel=1e-5)
    box = f"{left},{top},{left + image.shape[1]},{top + len(image)}"
    assert [f"--crop {view}:{box}" in note for note in found.notes] == [True] * any(sizes)
    cropped = replace(found, blank=None)
    named = Framing(crop=(left, top, left + image.shape[1], top + len(image)), invert=invert)
    np.testing.assert_allclose(oriented(cropped, named), alone, atol=1e-4)


def test_a_border_is_looked_for_in_what_the_crop_leaves():
    bordered = np.pad(np.pad(pa(), 20, constant_values=1.2), 30)
    found = without_border("pa", film(bordered), Framing(crop=(30, 30, 230, 270)))
    assert "--crop pa:50,50,210,250" in found.notes[0]
    both = without_border("pa", film(bordered), Framing())
    assert ["--crop pa:30,30,230,270" in both.notes[0], "--crop pa:50,50,210,250" in both.notes[1]] == [True, True]
    np.testing.assert_allclose(oriented(both, Framing())[50:250, 50:210], oriented(film(pa()), Framing()), atol=1e-4)


def test_a_bright_abdomen_is_no_border():
    """Saturated rows whose grey fades in, and a bright half, are image."""
    fading = pa()
    fading[150:] = np.minimum(fading[150:] + np.linspace(0, 1.5, 50)[:, None] ** 0.5, 1)
    assert image_box(fading.astype(np.float32), np.zeros(fading.shape, bool)) is None
    half = pa()
    half[:, 40:] = 1
    assert image_box(half.astype(np.float32), np.zeros(half.shape, bool)) is None


def test_no_real_film_loses_its_image(real_data: Path):
    """No bright border is found on any; black frames are, of some: they are black before and after."""
    framed = 0
    for path in sorted((real_data / "xray").glob("*.png")):
        view, xray = path.name.partition("_")[0], read_xray(path)
        found = without_border(view, xray, Framing())
        if found.blank is not None:
            framed += 1
            assert "dark border" in found.notes[0], path
            assert oriented(xray, Framing())[found.blank].mean() < 0.02, path
    assert 10 < framed < 30
