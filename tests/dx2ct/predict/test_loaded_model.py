"""A run as a tool in Python: `dx2ct.load(run).reconstruct(xrays)`."""

import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from drr.volume import read_volume
import dx2ct
from dx2ct import layout
from dx2ct.data.grid import CubeGrid
from dx2ct.data.scans import as_seen, read_grid, read_xrays
from dx2ct.geometry import Views
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.predict.xray import Xray
from dx2ct.training.runtime import Runtime
from tests.dx2ct.predict.conftest import SCAN, xray_files
from tests.fabricate import (
    BOTH,
    film,
    lateral,
    options,
    pa,
    random_run,
    tiny,
    train,
    xray_settings,
)


@pytest.mark.slow
def test_own_line_integrals_give_the_workflow_s_reconstruction(model: Model, data: Path):
    reconstruct_scan(SCAN, model.folder, options(seed=5), data, Runtime())
    workflow = read_volume(layout.reconstruction(model.folder, SCAN))
    files = xray_files(data)
    got = model.reconstruct(files, steps=2, seed=5)
    np.testing.assert_array_equal(got.array, workflow.array)
    np.testing.assert_allclose(got.spacing_mm, workflow.spacing_mm)
    np.testing.assert_allclose(got.centre_mm, 0, atol=1e-9)
    images = read_xrays(data, SCAN, model.views)
    np.testing.assert_array_equal(model.seen(model.prepare(files, {})), as_seen(images, model.views, 32))
    assert not np.array_equal(model.reconstruct(files, steps=2, seed=6).array, got.array)


def test_files_arrays_and_tensors_are_the_same_xrays(model: Model, data: Path):
    files, images = xray_files(data), read_xrays(data, SCAN, BOTH)
    of_files = model.reconstruct(files, steps=1).array
    tensors = {view: torch.from_numpy(image) for view, image in images.items()}
    mixed = {"pa": str(files["pa"]), "lateral": images["lateral"]}
    for given in (images, tensors, mixed):
        np.testing.assert_array_equal(model.reconstruct(given, steps=1).array, of_files)
    assert repr(model).startswith("DX2CT of ") and "'pa': (32+, 32+)" in repr(model)


def test_the_geometry_says_where_the_volume_lies(model: Model, data: Path):
    images, place = read_xrays(data, SCAN, BOTH), (10.0, -20.0, 900.0)
    moved = Views(CubeGrid(32, 10.0, place), xray_settings().exposures(BOTH, place))
    here, there = model.reconstruct(images, steps=1), model.reconstruct(images, geometry=moved, steps=1)
    np.testing.assert_array_equal(there.array, here.array)
    np.testing.assert_allclose(there.centre_mm, place, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.full((64, 64), np.nan), "X-ray pa: holds NaN or infinite values"),
        (np.zeros((1, 64, 64)), r"X-ray pa: shape \(1, 64, 64\)"),
        (np.zeros((20, 64)), r"X-ray pa: \(20, 64\) pixels, the network sees 32 a side"),
        (object(), "X-ray pa: shape|X-ray pa: neither a file nor an array"),
        ("nowhere.png", "nowhere.png: cannot be read"),
        (film(np.zeros((10, 10))), "film.png"),
    ],
)
def test_an_xray_that_is_none_is_one_line(model: Model, given: Any, message: str):
    with pytest.raises(InputError, match=message) as caught:
        model.reconstruct({"pa": given, "lateral": np.ones((64, 64))}, steps=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cnn2d", "x2ctgan", "perx2ct", "sart", "lift"])
def test_predict_asks_every_method_as_the_workflow_does(name: str, data: Path, tmp_path: Path):
    """Line integrals as arrays; what only a sampler understands is refused in one line."""
    train(tiny(name), data, tmp_path)
    found = dx2ct.load(tmp_path, "cpu", 1)
    xrays = read_xrays(data, SCAN, found.views)
    reconstruct_scan(SCAN, tmp_path, options(batch=20), data, Runtime())
    expected = read_volume(layout.reconstruction(tmp_path, SCAN)).array.astype(float)
    np.testing.assert_allclose(found.reconstruct(xrays).array, expected, atol=1)  # batches round differently
    consistent = found.reconstruct(xrays, consistency=3).array
    reconstruct_scan(SCAN, tmp_path, options(batch=20, consistency={"iterations": 3}), data, Runtime())
    np.testing.assert_allclose(
        consistent, read_volume(layout.reconstruction(tmp_path, SCAN)).array.astype(float), atol=1
    )
    assert not np.allclose(consistent, expected, atol=2)
    for option in ({"samples": 2}, {"steps": 5}):
        with pytest.raises(InputError, match="does not sample"):
            found.reconstruct(xrays, **option)


@pytest.mark.slow
def test_a_method_for_which_any_view_is_enough_takes_one(data: Path, tmp_path: Path):
    train(tiny("lift", {"drop_views": 0.5}, train={"steps": 20}), data, tmp_path)
    found, xrays = dx2ct.load(tmp_path, "cpu", 1), read_xrays(data, SCAN, BOTH)
    both = found.reconstruct(xrays).array
    for view in BOTH:
        assert not np.array_equal(found.reconstruct({view: xrays[view]}).array, both)
    with pytest.raises(InputError, match=r"X-rays of none, .*: give one of these at least"):
        found.reconstruct({})


@pytest.mark.parametrize("name", ["mean", "volumes"])
def test_a_method_that_looks_at_no_xray_cannot_be_asked(name: str, data: Path, films: dict[str, Path], tmp_path: Path):
    if name == "volumes":
        path = str(tmp_path / "theirs/{scan}.nii.gz")
        read_grid(data, SCAN, 32).volume().write(path.format(scan=SCAN))
        train(tiny(name, {"path": path}), data, tmp_path / "run")
    else:
        train(tiny(name), data, tmp_path / "run")
    found = dx2ct.load(tmp_path / "run", "cpu", 1)
    for given in ({}, films):
        with pytest.raises(InputError, match=r"run: .* looks at no X-ray: take a run of another method"):
            found.reconstruct(given)


def test_consistency_takes_films_and_what_was_turned_by_a_curve(model: Model, films: dict[str, Path]):
    changed = model.reconstruct(films, steps=1, consistency=1)
    plain = model.reconstruct(films, steps=1)
    left = [np.mean(list(model.unexplained(volume, model.prepare(films, {})).values())) for volume in (plain, changed)]
    assert left[1] < 0.97 * left[0], "an untrained network's answer explains next to nothing"
    views = {view: Xray(image().astype(np.float32), "integrals", f"{view}.mha") for view, image in
             (("pa", lambda: pa(160)), ("lateral", lambda: lateral(160)))}  # fmt: skip
    flip = {"lateral": Framing(flip=True)}
    pair = [model.reconstruct(views, framing=flip, steps=1, consistency=count).array for count in (0, 1)]
    assert not np.array_equal(*pair)
    assert model.reconstruct(views, steps=1, consistency=3).array.shape == (32,) * 3


def test_a_model_is_given_its_own_views(model: Model, films: dict[str, Path], tmp_path: Path):
    with pytest.raises(InputError, match="run: X-rays of pa, the model was trained on pa and lateral: give exactly"):
        model.reconstruct({"pa": films["pa"]})
    mono = dx2ct.load(random_run(tmp_path / "mono", tiny("dx2ct", {"views": ["pa"]})), "cpu", 1)
    with pytest.raises(InputError, match="mono: X-rays of pa and lateral, the model was trained on pa: give"):
        mono.reconstruct(films)
    assert mono.reconstruct({"pa": films["pa"]}, steps=1).array.shape == (32,) * 3


def test_a_crop_smaller_than_the_network_s_image_is_refused(model: Model):
    framing = {"pa": Framing(crop=(2, 70, 22, 90))}
    with pytest.raises(InputError, match=r"film\.png: 20 pixels a side, the network sees 32"):
        model.reconstruct({"pa": film(pa()), "lateral": film(lateral())}, framing=framing)


def test_line_integrals_of_too_few_rows_are_named_with_a_cure(model: Model, data: Path):
    """Of the training's detector, and of pixels that are higher than wide."""
    view, pixels = model.trained.inputs.views.exposures["pa"], read_xrays(data, SCAN, BOTH)["pa"]
    columns, few = pixels.shape[1], pixels.reshape(16, -1, pixels.shape[1]).mean(axis=1)
    spacing = [view.rows * view.pixel_mm[0] / 16, view.columns * view.pixel_mm[1] / columns]
    given = {"pa": Xray(few, "integrals", "few.mha", {"spacing_mm": spacing}), "lateral": xray_files(data)["lateral"]}
    size = f"{columns} x 16 pixels, the network sees 32 a side: give a larger image, of square pixels"
    with pytest.raises(InputError, match=rf"few\.mha: {size}"):
        model.prepare(given, {})


def test_folders_that_are_no_model_are_refused(tmp_path: Path):
    good = random_run(tmp_path / "good")
    weights, text = layout.weights(good).read_bytes(), layout.settings(good).read_text()

    def changed(section: str, **values: Any) -> str:
        found = json.loads(text)
        found[section] |= values
        return json.dumps(found)

    old = json.loads(text)
    del old["volume"]["max_hole_mm"]
    for number, (settings, stored, reason) in enumerate((
        (None, weights, r"settings\.json: no trained run here"),
        (text, None, r"weights\.safetensors: missing: the run is not finished"),
        ("{", weights, r"settings\.json: settings are no JSON"),
        ("[]", weights, r"settings\.json: not the settings of a run"),
        (json.dumps(old), weights, r"settings\.json: volume\.max_hole_mm is missing"),
        (changed("volume", version=1), weights, "settings of stage volume are of version 1, the code is of 2"),
        (changed("run", method="dx3ct"), weights, "unknown method 'dx3ct'; known: dx2ct"),
        (json.dumps(json.loads(text) | {"format": 3}), weights, "format 3 is newer than this program's"),
        (text, weights[: len(weights) // 2], r"weights\.safetensors: damaged weights"),
    )):  # fmt: skip
        folder = tmp_path / f"bad-{number}"
        folder.mkdir()
        if settings is not None:
            layout.settings(folder).write_text(settings)
        if stored is not None:
            layout.weights(folder).write_bytes(stored)
        with pytest.raises(InputError, match=rf"bad-{number}.*{reason}") as caught:
            dx2ct.load(folder, "cpu", 1)
        assert "\n" not in str(caught.value)


def test_a_second_reconstruction_reads_nothing_of_the_run(data: Path, tmp_path: Path):
    found, xrays = dx2ct.load(random_run(tmp_path / "run"), "cpu", 1), read_xrays(data, SCAN, BOTH)
    first = found.reconstruct(xrays, steps=1)
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    np.testing.assert_array_equal(found.reconstruct(xrays, steps=1).array, first.array)


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, dx2ct; print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules], dx2ct.load)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"threads": -3}, "threads is -3: a number of CPU threads, or 0 for all"),
        ({"max_memory_mb": -1}, "max_memory_mb is -1: MB, or 0 for most of what is free"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_limits_that_no_machine_has(model: Model, limits: dict[str, Any], reason: str):
    with pytest.raises(InputError, match=reason):
        dx2ct.load(model.folder, **limits)
