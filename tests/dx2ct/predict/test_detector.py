"""Pixels keep their places: what is done to an image is done to the exposure behind it."""

from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest

from drr.caster import render
from drr.geometry import PRESETS, View
from drr.image import write_image
from drr.volume import Volume
import dx2ct
from dx2ct.predict.detector import cropped, edges_in, facing, field_mm, shown_in, turned
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.model import Model
from dx2ct.predict.place import place_of
from dx2ct.predict.placed import exposure_of
from dx2ct.predict.turn import BY_ORIENTATION, Turn
from dx2ct.predict.xray import Xray
from tests.fabricate import film, random_run, tiny

ORIGIN = (0.0, 0.0, 0.0)
FILM = PRESETS["chest_film"].with_pixels((60, 40))
TURNS = list(BY_ORIENTATION.values())
POINTS = np.random.default_rng(0).uniform(-120, 120, (20, 3))


def seen(view: View, points: NDArray[np.float64] = POINTS) -> NDArray[np.float64]:
    """Column and row of each point."""
    homogeneous = view.projection_matrix() @ np.c_[points, np.ones(len(points))].T
    return np.asarray((homogeneous[:2] / homogeneous[2]).T)


def test_turns_are_a_group():
    image = np.arange(12).reshape(3, 4)
    for first, second in product(TURNS, TURNS):
        np.testing.assert_array_equal(first.then(second).of(image), second.of(first.of(image)))
        assert first.then(first.undone) == first.undone.then(first) == Turn()
    for quarters, flip in product(range(-4, 8), (False, True)):
        expected = np.rot90(image, -quarters)
        expected = expected[:, ::-1] if flip else expected
        np.testing.assert_array_equal(Framing(rotate=90 * quarters, flip=flip).turn.of(image), expected)


@pytest.mark.parametrize("turn", TURNS)
def test_a_point_falls_on_the_same_pixel_after_crop_padding_and_turn(turn: Turn):
    view = FILM.view("pa", ORIGIN)
    index = np.arange(view.rows * view.columns).reshape(view.rows, view.columns)
    left, top, right, bottom = -5, 7, 33, 64  # cropped at two sides, padded at two
    after = turned(cropped(view, left, top, right, bottom), turn)
    image = turn.of(np.pad(index, ((0, 4), (5, 0)), constant_values=-1)[top:, : right - left])
    assert (after.rows, after.columns) == image.shape
    np.testing.assert_allclose(turned(turned(view, turn), turn.undone).pixel_centres_mm(), view.pixel_centres_mm())
    for (column, row), (there, down) in zip(seen(view), seen(after), strict=True):
        whole = round(row), round(column)
        if top <= whole[0] < view.rows and 0 <= whole[1] < right:
            assert image[round(down), round(there)] == index[whole]


@pytest.mark.parametrize(("rotate", "flip"), product((0, 90, 180, 270), (False, True)))
@pytest.mark.parametrize("name", ["pa", "lateral"])
def test_the_exposure_of_a_framed_film_sees_points_where_the_image_shows_them(name: str, rotate: int, flip: bool):
    """Bright pixels at the places of points, in a file that lies in any way: found again through the exposure."""
    upright = FILM.view(name, ORIGIN)
    how = Framing(crop=(6, 4, 38, 36) if rotate % 180 == 0 else (4, 2, 50, 33), rotate=rotate, flip=flip, odd_mm=200)
    index = np.arange(upright.rows * upright.columns, dtype=np.float32).reshape(upright.rows, upright.columns)
    stored = np.ascontiguousarray(how.turn.undone.of(index))
    xray = Xray(stored, "integrals", "a.mha", {"spacing_mm": list(upright.pixel_mm), "spacing_from": "-"})
    if rotate % 180:
        xray = Xray(stored, "integrals", "a.mha", {"spacing_mm": list(upright.pixel_mm[::-1]), "spacing_from": "-"})
    training = PRESETS["x2ct"].view(name, ORIGIN)
    after, image = exposure_of(xray, how, training, place_of(name, xray, how, training)), oriented(xray, how)
    assert (after.rows, after.columns) == image.shape and after.source_mm == pytest.approx(upright.source_mm)
    places = [
        (np.rint(was).astype(int), np.rint(now).astype(int))
        for was, now in zip(seen(upright), seen(after), strict=True)
    ]
    inside = [
        (index[r, c], image[y, x]) for (c, r), (x, y) in places if 0 <= y < len(image) and 0 <= x < image.shape[1]
    ]
    assert len(inside) > 3 and all(one == other for one, other in inside)


def test_the_central_ray_meets_the_middle_of_the_collimated_field():
    blank = np.ones((60, 40), bool)
    blank[8:48, 5:25] = False
    xray = Xray(np.eye(60, 40, dtype=np.float32), "film", "a.png", blank=blank)
    training = PRESETS["x2ct"].view("pa", ORIGIN)
    for how in (Framing(spacing_mm=8.0), Framing(spacing_mm=8.0, crop=(5, 8, 25, 48))):
        view = exposure_of(xray, how, training, place_of("pa", xray, how, training))
        left, top = (0, 0) if how.crop is None else how.crop[:2]
        np.testing.assert_allclose(seen(view, np.zeros((1, 3)))[0], (15 - 0.5 - left, 28 - 0.5 - top), atol=1e-9)
    blank[:48, :25] = False  # at one end alone, it may be air beside the patient
    view = exposure_of(xray, Framing(), training, place_of("pa", xray, Framing(), training))
    np.testing.assert_allclose(seen(view, np.zeros((1, 3)))[0], (20 - 0.5, 29.5), atol=1e-9)


def test_a_window_shows_the_training_s_field():
    training = PRESETS["x2ct"].view("pa", ORIGIN)
    enlarged = (1800 / 1600) / (949 / 541)
    side = 500 / 320 * enlarged
    window = facing(training, 1800, 200, (320, 320), (side, side))
    assert field_mm(window) == pytest.approx(field_mm(training)) and field_mm(window)[0] == pytest.approx(
        285.04, abs=0.01
    )
    view = PRESETS["chest_film"].view("pa", ORIGIN)
    left, top, right, bottom = edges_in(view, window)
    assert left + right == pytest.approx(512) and top + bottom == pytest.approx(512)
    assert (right - left) * view.pixel_mm[1] == pytest.approx(320.67, abs=0.01)
    row, column = np.mgrid[:512, :512].astype(np.float32)
    for ramp in (row, column):  # a ramp stays one, at its places
        shown, covered = shown_in(ramp, view, window, 64)
        assert covered == 1 and shown.shape[0] % 64 == 0
        for point, (x, y) in zip(POINTS, seen(window.resized(len(shown))), strict=True):
            where = seen(view, point[None])[0]
            if 1 < x < len(shown) - 2 and 1 < y < len(shown) - 2:
                expected = where[1] if ramp is row else where[0]
                assert cv2.getRectSubPix(shown, (1, 1), (float(x), float(y)))[0, 0] == pytest.approx(expected, abs=0.1)


def test_what_the_film_does_not_cover_is_air_and_is_said():
    training = PRESETS["x2ct"].view("pa", ORIGIN)
    window = facing(training, 1800, 200, (10, 10), (32.0, 32.0))
    half = facing(training, 1800, 200, (40, 20), (8.0, 8.0))
    shown, covered = shown_in(np.ones((40, 20), np.float32), half, window, 20)
    assert covered == pytest.approx(0.5) and shown.shape == (40, 40)
    assert (shown[:, 11:29] == 1).all() and not shown[:, :9].any() and not shown[:, 31:].any()


def ball() -> Volume:
    """Water in air, off the centre."""
    z, y, x = np.mgrid[-80:80:10, -80:80:10, -80:80:10] + 5
    hu = np.where((x - 20) ** 2 + (y + 30) ** 2 + (z - 25) ** 2 < 45**2, 0, -1000).astype(np.int16)
    return Volume(hu, (10.0,) * 3, (-75.0,) * 3)


@pytest.fixture(scope="module")
def lifting(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dx2ct.load(random_run(tmp_path_factory.mktemp("runs") / "lift", tiny("lift")), "cpu", 1)


def test_a_method_that_takes_geometry_is_told_the_film_s(lifting: Model, tmp_path: Path):
    """A ball's edges on the image that the network is given lie where the exposure that it is given projects them."""
    beam, files = PRESETS["chest_film"], {}
    for view in lifting.views:
        (image,) = render(ball(), [beam.view(view, ORIGIN)], threads=1)
        files[view] = tmp_path / f"{view}.png"
        cv2.imwrite(str(files[view]), np.rint(image / image.max() * 65535).astype(np.uint16))
    found = lifting.prepare(files, dict.fromkeys(files, Framing(spacing_mm=beam.pixel_mm[0])))
    geometry = lifting.geometry_of(found)
    assert geometry.grid == lifting.trained.inputs.views.grid
    for view, one in found.items():
        exposure = geometry.exposures[view].resized(len(one.image))
        assert exposure.source_mm == pytest.approx(beam.view(view, ORIGIN).source_mm)
        rows, columns = np.nonzero(one.image > 0.5 * one.image.max())
        centre = seen(exposure, np.array([[20.0, -30.0, 25.0]]))[0]
        np.testing.assert_allclose((columns.mean(), rows.mean()), centre, atol=0.02 * len(one.image))


def test_a_method_with_one_geometry_built_in_keeps_it(model: Model):
    found = model.prepare({view: film(np.eye(64)) for view in model.views}, {})
    assert model.geometry_of(found) == model.trained.inputs.views
    for one in found.values():
        assert any(note.startswith("film.png: NO SCALE: ") and "--spacing-mm" in note for note in one.notes)


def test_line_integrals_of_the_training_stay_as_they_are(lifting: Model, tmp_path: Path):
    spec, images = lifting.trained.inputs, {}
    for view, exposure in spec.views.exposures.items():
        (images[view],) = render(ball(), [exposure], threads=1)
        write_image(images[view], exposure.pixel_mm, tmp_path / f"{view}.mha")
    files = {view: tmp_path / f"{view}.mha" for view in images}
    found = lifting.prepare(files, {})
    assert lifting.geometry_of(found) == spec.views
    assert not any(one.moved or "spacing" in "".join(one.notes) for one in found.values())
    for view, one in found.items():
        np.testing.assert_array_equal(one.image, images[view])
    np.testing.assert_array_equal(lifting.reconstruct(files).array, lifting.reconstruct(images).array)
    flipped = lifting.prepare(files, {view: Framing(flip=True) for view in files})
    np.testing.assert_array_equal(flipped["pa"].image, images["pa"][:, ::-1])
    half = lifting.prepare(files, {"pa": Framing(crop=(0, 0, images["pa"].shape[1] // 2, len(images["pa"])))})["pa"]
    assert half.moved and not half.image[:, len(half.image) // 2 + 1 :].any()  # not moved into the middle
