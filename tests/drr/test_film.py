"""Simulated films: the truth beside them, and what each part of a look does."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from drr.errors import InputError
from drr.film import develop, draw_look, Film, HELD_OUT, Look, simulate, TRAINING
from drr.film.field import open_share
from drr.film.letters import with_letters
from drr.film.look import Collimation, Exposure, Letter, Processing
from drr.film.process import enhanced, pictured, through_sigmoid
from drr.geometry import ConeBeam, View
from drr.physics.materials import path_lengths
from drr.volume import Volume

BEAM = ConeBeam(1600.0, 1800.0, 430.0, 96)
PA = BEAM.view("pa", (0.0, 0.0, 0.0))
PIXEL = PA.pixel_mm


@pytest.fixture(scope="module")
def chest() -> Volume:
    """A body with two lungs and a spine, HU (z, y, x)."""
    axis = (np.arange(64) + 0.5) * 6 - 192
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    hu = np.full((64, 64, 64), -1000, np.int16)
    hu[(x / 160) ** 2 + (y / 105) ** 2 < 1] = 40
    for side in (-1, 1):
        hu[((x - side * 75) / 55) ** 2 + (y / 75) ** 2 + (z / 120) ** 2 < 1] = -850
    hu[(x**2 + (y - 70) ** 2) < 20**2] = 500
    return Volume(hu, (6.0, 6.0, 6.0), (-189.0, -189.0, -189.0))


@pytest.fixture(scope="module")
def lengths(chest: Volume) -> np.ndarray:
    return path_lengths(chest, [PA])[0]


def film_of(lengths: np.ndarray, look: Look, seed: int = 0) -> Film:
    return develop(lengths, PA, np.random.default_rng(seed), look)


def test_a_film_is_decided_by_its_generator_and_holds_its_truth(chest: Volume, lengths: np.ndarray) -> None:
    one, same, other = (simulate(chest, PA, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.look == same.look != other.look and np.array_equal(one.pixels, same.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.lengths, lengths)
    assert one.pixels.dtype == np.uint16 and one.pixels.max() <= 2**one.look.processing.bits - 1


def test_bone_is_bright_lungs_are_dark_and_air_is_darkest(lengths: np.ndarray) -> None:
    shown = film_of(lengths, Look()).shown
    spine, lung, air = shown[40:56, 48], shown[40:56, 30], shown[40:56, 1]
    assert spine.min() > lung.max() > air.max()


def test_monochrome1_is_the_same_film_stored_the_other_way(lengths: np.ndarray) -> None:
    one, two = (
        film_of(lengths, Look(processing=Processing(photometric=kind))) for kind in ("MONOCHROME1", "MONOCHROME2")
    )
    np.testing.assert_allclose(one.shown, two.shown, atol=1e-6)
    assert np.array_equal(one.pixels, 4095 - two.pixels)


@pytest.mark.parametrize("bits", [10, 12])
def test_a_film_uses_its_bits(bits: int, lengths: np.ndarray) -> None:
    film = film_of(lengths, Look(processing=Processing(bits=bits)))
    assert film.pixels.max() == 2**bits - 1 and len(np.unique(film.pixels)) > 300


def test_more_photons_are_less_noise(lengths: np.ndarray) -> None:
    quiet, few, many = (
        film_of(lengths, Look(Exposure(photons_per_mm2=photons))).shown for photons in (1e9, 300.0, 3e4)
    )
    assert np.abs(few - quiet).mean() > 5 * np.abs(many - quiet).mean() > 0


@pytest.mark.parametrize("kind", ["log", "root"])
def test_exposure_recognition_takes_the_dose_out(kind: str, lengths: np.ndarray) -> None:
    """A logarithm makes a dose a shift, a root a factor; both are recognised."""
    signal = np.exp(-0.02 * lengths.sum(axis=0))
    inside, how = np.ones(signal.shape, bool), Processing(scale=kind)  # type: ignore[arg-type]
    kept = signal < 0.2  # below what is direct in both
    one, half = pictured(signal, inside & kept, how), pictured(signal / 2, inside & kept, how)
    np.testing.assert_allclose(one[kept], half[kept], atol=2e-3)


def test_the_sigmoid_rises_from_0_to_1() -> None:
    span = np.linspace(-0.5, 1.5, 101, dtype=np.float32)
    for centre, slope in ((0.3, 2.0), (0.9, 6.0), (0.5, 0.0)):
        curve = through_sigmoid(span, centre, slope)
        assert (np.diff(curve) >= 0).all() and curve.min() == 0 and curve.max() == 1
        np.testing.assert_allclose(np.interp([0, 1], span, curve), [0, 1], atol=1e-5)
    np.testing.assert_allclose(through_sigmoid(span, 0.5, 0.0), np.clip(span, 0, 1))


def test_enhancement_lifts_small_contrasts_more_than_large() -> None:
    x = np.mgrid[:96, :96][1]
    waves = [np.float32(size) * np.cos(2 * np.pi * x / 8).astype(np.float32) for size in (0.05, 0.5)]
    np.testing.assert_allclose(enhanced(waves[0], 1.0, 0.0), waves[0], atol=1e-6)
    gains = [enhanced(wave, 0.6, 0.0)[8:-8, 8:-8].std() / wave[8:-8, 8:-8].std() for wave in waves]
    assert gains[0] > 1.5 * gains[1] > 1.5
    flat = np.full((96, 96), 0.7, np.float32)
    np.testing.assert_allclose(enhanced(flat, 0.6, 0.4), 0.6 * flat, atol=1e-5)


def test_a_collimator_opens_to_its_rectangle_with_a_soft_edge() -> None:
    collimation = Collimation((0.25, 0.1, 0.0, 0.0), penumbra_mm=9.0, leak=0.01)
    share = open_share((96, 96), PIXEL, collimation)
    assert share.min() == pytest.approx(0.01, abs=1e-3) and share[-1, -1] == pytest.approx(1, abs=1e-3)
    edge = share[-1]
    assert (np.diff(edge) >= -1e-6).all() and np.interp(0.505, edge, (np.arange(96) + 0.5) / 96) == pytest.approx(
        0.25, abs=1e-3
    )
    width = np.interp(0.841, edge, np.arange(96)) - np.interp(0.159, edge, np.arange(96))
    assert width * PIXEL[1] == pytest.approx(18, rel=0.05), "two standard deviations"


def test_outside_the_field_no_scatter_begins_and_a_shutter_is_black(lengths: np.ndarray) -> None:
    margins = Collimation((0.3, 0.0, 0.0, 0.0))
    open_, shut = (film_of(lengths, Look(collimation=replace(margins, shutter=black))) for black in (False, True))
    assert (~open_.field[:, :28]).all() and open_.field[:, 30:].all()
    assert open_.shown[:, :20].min() > 0.9, "unexposed film is bright as bone"
    assert not shut.shown[~shut.field].any()
    np.testing.assert_array_equal(open_.shown[open_.field], shut.shown[shut.field])


def test_a_letter_is_as_high_as_it_says_and_may_reach_beyond_the_border() -> None:
    film = with_letters(np.zeros((200, 200), np.float32), (Letter("L", 0.5, 0.5, 40.0),), (1.0, 1.0))
    rows, columns = np.nonzero(film > 0.5)
    assert 24 < np.ptp(rows) < 40 and abs(rows.mean() - 100) < 8 and abs((rows.min() + rows.max()) / 2 - 100) < 2
    turned = with_letters(np.zeros((200, 200), np.float32), (Letter("L", 0.5, 0.5, 40.0, mirrored=True),), (1.0, 1.0))
    assert columns.mean() < 99.5 < np.nonzero(turned > 0.5)[1].mean()
    cut = with_letters(np.zeros((50, 50), np.float32), (Letter("R", 0.0, 1.0, 40.0),), (1.0, 1.0))
    assert cut.shape == (50, 50) and cut.any()


@pytest.mark.parametrize(("name", "mirrored"), [("pa", False), ("ap", False), ("pa", True)])
def test_markers_stand_on_their_side_of_the_patient(name: str, mirrored: bool) -> None:
    view = BEAM.view(name, (0.0, 0.0, 0.0))
    if mirrored:
        view = flipped(view)
    texts = set()
    for seed in range(60):
        for letter in draw_look(np.random.default_rng(seed), view=view).letters:
            at_right = letter.column > 0.5
            assert at_right == ((letter.text == "L") != mirrored)
            texts.add(letter.text)
    assert texts == {"L", "R"}
    assert not draw_look(np.random.default_rng(0)).letters


def flipped(view: View) -> View:
    step = np.array(view.column_step_mm)
    corner = np.array(view.corner_mm) + (view.columns - 1) * step
    return replace(view, corner_mm=tuple(corner.tolist()), column_step_mm=tuple((-step).tolist()))


def test_draws_lie_in_their_ranges_and_held_out_ones_elsewhere() -> None:
    held, trained = (
        [draw_look(np.random.default_rng(seed), ranges, PA) for seed in range(150)] for ranges in (HELD_OUT, TRAINING)
    )
    for looks, ranges in ((held, HELD_OUT), (trained, TRAINING)):
        kvp = [look.exposure.tube.kvp for look in looks]
        assert ranges.kvp[0] <= min(kvp) < max(kvp) <= ranges.kvp[1]
        photons = [look.exposure.photons_per_mm2 for look in looks]
        assert ranges.photons_per_mm2[0] <= min(photons) < max(photons) <= ranges.photons_per_mm2[1] * 1.001
        grids = np.mean([look.exposure.grid.scattered < 1 for look in looks])
        assert grids == pytest.approx(ranges.grids, abs=0.12)
    for name in ("kvp", "copper_mm", "scatter", "grid_scattered", "slope", "detail", "centre", "high"):
        (low, high), (lower, upper) = getattr(TRAINING, name), getattr(HELD_OUT, name)
        assert lower >= high or upper <= low, f"{name} of held-out looks is none of training"
    assert {field.name for field in fields(TRAINING)} == {field.name for field in fields(HELD_OUT)}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda: develop(np.zeros((2, 4, 4), np.float32), PA, np.random.default_rng(0)),
            "path lengths of shape (2, 4, 4) are not (2, 96, 96) as the view",
        ),
        (
            lambda: Exposure(photons_per_mm2=0.0),
            "an exposure of 0.0 photons a mm2, a focus of 0.1 mm and a heel of 0.0: above 0, 0 and more, 0 to below 1",
        ),
        (
            lambda: Collimation((0.5, 0.0, 0.5, 0.0)),
            "margins (0.5, 0.0, 0.5, 0.0): 0 and more, and a tenth of the image must be left",
        ),
        (
            lambda: Collimation(penumbra_mm=0.0),
            "a penumbra of 0.0 mm and a leak of 0.003: above 0, and below 1",
        ),
        (lambda: Processing(span=(5.0, 5.0)), "a span from percentile 5.0 to 5.0: rising, from 0 to 100"),
    ],
)
def test_what_is_none_is_one_line(made: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as error:
        made()
    assert str(error.value) == message
