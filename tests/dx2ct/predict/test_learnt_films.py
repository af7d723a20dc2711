"""A film that `predict` reads reaches the network as the same film did in a training with looks."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from drr.film import develop
from dx2ct.config.augment import FilmSettings
from dx2ct.data.augment.films import films_seen
from dx2ct.data.scans import as_seen
from dx2ct.methods.layers.patients import Patients
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import load, Model
from tests.fabricate import cohort, tiny, train

SCANS = ["scan-0", "scan-1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Patients]:
    folder = tmp_path_factory.mktemp("films")
    data = cohort(folder / "data")
    settings: Any = tiny("lift", train={"augment": {"film": {"share": 1.0}}})
    train(settings, data, folder / "run")
    model = load(folder / "run", "cpu", 1)
    return model, Patients(settings, model.trained.inputs.pixels, SCANS, data, torch.device("cpu"))


def test_the_network_sees_what_it_learnt(run: tuple[Model, Patients], tmp_path: Path) -> None:
    """Written as 16-bit PNG in the training's field and read again: only the rounding to grey values differs."""
    model, patients = run
    lengths, exposures, pixels = patients.lengths(0), patients.exposures, model.trained.inputs.pixels
    files, framing, films = {}, {}, {}
    generator = np.random.default_rng(8)
    for of_view, (name, view) in zip(lengths, exposures.items(), strict=True):
        films[name] = develop(of_view, view, generator)
        generator.random()  # which films_seen asks whether a border is found
        files[name] = tmp_path / f"{name}.png"
        cv2.imwrite(str(files[name]), np.rint(films[name].shown * 65535).astype(np.uint16))
        odd_mm = view.source_detector_mm - float(np.linalg.norm(view.source_mm))
        framing[name] = Framing(spacing_mm=view.pixel_mm[0], sid_mm=view.source_detector_mm, odd_mm=odd_mm)
    assert all(film.field.all() for film in films.values()), "choose a seed without a collimator"
    learnt = films_seen(np.random.default_rng(8), FilmSettings(), lengths, exposures)
    expected = as_seen(dict(zip(model.views, learnt, strict=True)), model.views, pixels)
    prepared = model.prepare(files, framing)
    np.testing.assert_allclose(model.seen(prepared), expected, atol=1e-3)


def test_a_model_says_whether_it_has_learnt_films(run: tuple[Model, Patients]) -> None:
    assert run[0].has_learnt_films
