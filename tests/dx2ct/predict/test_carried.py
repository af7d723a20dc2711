"""Films carried into the training's beam by the answer itself."""

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from drr.attenuation import named
from drr.geometry import PRESETS
from drr.projector import Projector
import dx2ct
from dx2ct.cli import app
from dx2ct.config.augment import AugmentSettings, ExposureSettings
from dx2ct.data.grid import CubeGrid
from dx2ct.geometry import Views
from dx2ct.predict.carried import carried, is_unlearnt
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from tests.fabricate import film, lateral, pa, random_run, tiny

ORIGIN = (0.0, 0.0, 0.0)
GRID = CubeGrid(24, 12.0)


def views(name: str) -> Views:
    """PA and lateral of a preset with detectors that show the same in the plane of the isocentre."""
    beam = PRESETS[name]
    side = 285.0 * beam.source_detector_mm / beam.source_isocentre_mm
    beam = replace(beam, detector_mm=side, pixels=48)
    return Views(GRID, {view: beam.view(view, ORIGIN) for view in ("pa", "lateral")})


def chest() -> np.ndarray:
    """A body with a lung and a sphere near the front, int16 HU."""
    z, y, x = np.mgrid[-138:139:12, -138:139:12, -138:139:12]
    hu = np.where((x / 110) ** 2 + (y / 80) ** 2 < 1, 30, -1000)
    hu[(x - 50) ** 2 + y**2 + z**2 < 40**2] = -800
    hu[(x + 40) ** 2 + (y + 50) ** 2 + (z - 30) ** 2 < 25**2] = 800
    return hu.astype(np.int16)


def rendered(beams: Views, hu: np.ndarray) -> dict[str, np.ndarray]:
    projector = Projector(GRID.volume(), list(beams.exposures.values()), 48, 2, threads=1)
    return dict(zip(beams.exposures, projector.render(hu, named("plastimatch")), strict=True))


def test_of_the_patient_itself_a_film_becomes_the_training_s_xray():
    there, here = views("x2ct"), views("chest_film")
    wanted, films = rendered(there, chest()), rendered(here, chest())
    grey = {name: (7 + 3 * image).astype(np.float32) for name, image in films.items()}
    found = carried(grey, chest(), here, there, "plastimatch")
    for name, image in found.items():
        np.testing.assert_allclose(image, wanted[name], atol=1e-4 * wanted[name].max())
        assert np.abs(films[name] - wanted[name]).mean() > 0.02 * wanted[name].max()


def test_of_a_patient_that_is_nearly_right_it_comes_nearer():
    there, here, guess = views("x2ct"), views("chest_film"), np.roll(chest(), 1, axis=0)
    wanted, films = rendered(there, chest()), rendered(here, chest())
    for name, image in carried(films, guess, here, there, "plastimatch").items():
        assert np.abs(image - wanted[name]).mean() < 0.7 * np.abs(films[name] - wanted[name]).mean()
        assert image.min() >= 0


def test_what_the_training_varied_is_learnt():
    training, plain = views("x2ct").exposures, tiny("lift")
    varied = AugmentSettings(share=0.5, exposure=ExposureSettings(distance=0.2))
    near = {name: replace(view, source_mm=tuple(1.15 * np.array(view.source_mm))) for name, view in training.items()}
    for augment, far_too in ((varied, False), (replace(varied, share=0.0), True), (plain.train.augment, True)):
        settings = replace(plain, train=replace(plain.train, augment=augment))
        assert is_unlearnt(near, training, settings) == far_too
        assert is_unlearnt(views("chest_film").exposures, training, settings)
        assert not is_unlearnt(training, training, settings) and not is_unlearnt({}, training, settings)


@pytest.fixture(scope="module")
def lifting(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dx2ct.load(random_run(tmp_path_factory.mktemp("runs") / "lift", tiny("lift")), "cpu", 1)


def test_passes_are_made_of_films_alone_and_as_often_as_asked(lifting: Model):
    films = {"pa": film(pa()), "lateral": film(lateral())}
    prepared = lifting.prepare(films, {})
    assert lifting.passes_of(prepared)[0] == 4 and lifting.passes_of(prepared, 1)[0] == 1
    assert "carried into the training's beam in up to 4 passes" in lifting.passes_of(prepared)[1][0]
    passes, notes = lifting.passes_of(prepared, 0)
    assert passes == 0 and "what lies before and behind is misplaced (--passes)" in notes[0]
    training = lifting.trained.inputs.views
    told = {view: Framing(sid_mm=949.0, odd_mm=408.0) for view in films}
    assert lifting.passes_of(lifting.prepare(films, told)) == (0, [])
    arrays = {view: np.eye(64, dtype=np.float32) for view in films}
    assert lifting.passes_of(lifting.prepare(arrays, {})) == (0, [])
    assert lifting.passes_of(lifting.prepare(films, {}, is_placed=False)) == (0, [])
    mixed = films | {"lateral": np.mgrid[:64, :64][0]}  # whole numbers, in the training's beam
    assert lifting.passes_of(lifting.prepare(mixed, {}))[0] == 4 and lifting.reconstruct(mixed).array.any()
    squared = lifting.reconstruct(films, geometry=training)
    np.testing.assert_array_equal(squared.array, lifting.reconstruct(films, geometry=training, passes=3).array)


@pytest.mark.parametrize(("shares", "changes"), [((0.5, 0.4, 0.3), True), ((0.5, 0.4, 0.6), True), ((0.5, 0.6), False)])
def test_passes_end_where_the_answer_agrees_no_better(
    shares: tuple[float, ...], changes: bool, lifting: Model, monkeypatch: pytest.MonkeyPatch
):
    films = {"pa": film(pa()), "lateral": film(lateral())}
    plain, left = lifting.reconstruct(films, passes=0).array, list(shares)
    monkeypatch.setattr("dx2ct.predict.carried.unexplained", lambda *_: {"pa": left.pop(0)})
    assert np.array_equal(lifting.reconstruct(films, passes=2).array, plain) != changes and not left


def test_the_record_and_the_command_line_say_how_often(lifting: Model, films: dict[str, Path], tmp_path: Path):
    words = ["predict", "--model", str(lifting.folder), "--pa", str(films["pa"]), "--lateral", str(films["lateral"])]
    words += ["--device", "cpu", "--threads", "1", "-o", str(tmp_path / "ct.nii.gz"), "--passes", "1"]
    words += ["--spacing-mm", "pa:2.1", "--sid-mm", "1700"]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    record = json.loads((tmp_path / "ct.run.json").read_text())
    assert record["passes"] == 1 and "in up to 1 passes" in " ".join(record["notes"])
    pa_place, lateral_place = (record["inputs"][view]["place"] for view in ("pa", "lateral"))
    assert pa_place["pixel_mm"] == [2.1, 2.1] and pa_place["spacing_from"] == "--spacing-mm"
    assert lateral_place["pixel_mm"] == [2.0, 2.0] and lateral_place["spacing_from"] == "PixelSpacing"
    assert lateral_place["sid_mm"] == 1700 and lateral_place["odd_from"] == "usual"
