"""Runs of format 1, made by the project before settings had a format, still give the volumes that they gave then.

tests/fixtures/format1/README.md says what they are. Arrays go to the methods directly: there is no data folder.
"""

import json
from pathlib import Path
import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
import SimpleITK as sitk

from drr.errors import InputError
import dx2ct
from dx2ct.config import parse, SamplingOptions
from dx2ct.config.formats import FORMAT
from dx2ct.data.planes import PLANES
from dx2ct.methods.saved import parse_run, read_run, to_text

ROOT = Path(__file__).resolve().parents[1]
OLD = ROOT / "tests/fixtures/format1"
RUNS = ("mean", "sart", "cnn2d", "x2ctgan", "perx2ct", "dx2ct")
MOST_HU = 2  # other CPUs round sums in another order: 1 HU was seen


def xray(view: str) -> NDArray[np.float32]:
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(OLD / f"{view}.mha"))))


@pytest.mark.parametrize("run", RUNS)
def test_a_run_gives_the_volumes_of_its_time(run: str) -> None:
    model = dx2ct.load(OLD / run, "cpu", 1)
    options = parse(SamplingOptions, (OLD / run / "reconstruct.json").read_text())
    xrays = {view: xray(view) for view in model.views}
    planes = model.trained.reconstruct(xrays, model.trained.inputs.views, options)
    expected = np.load(OLD / run / "expected.npz")
    assert set(expected) == {*PLANES, "mean"}
    for plane, volume in {**planes.by_name(), "mean": planes.mean}.items():
        assert np.abs(np.rint(volume) - expected[plane]).max() <= MOST_HU, plane
    assert len(set(model.views)) == {"mean": 0, "cnn2d": 1}.get(run, 2)


@pytest.mark.slow
def test_the_published_model_gives_the_volume_of_its_time() -> None:
    xrays = {view: ROOT / f"examples/{view}.mha" for view in ("pa", "lateral")}
    found = dx2ct.load(ROOT / "examples/phantom_model", "cpu", 1).reconstruct(xrays, steps=2)
    expected = np.load(OLD / "phantom_model_expected.npz")["volume"]
    assert found.array.dtype == expected.dtype and found.array.shape == (48,) * 3
    assert np.abs(found.array.astype(int) - expected).max() <= MOST_HU


@pytest.mark.parametrize("run", RUNS)
def test_its_settings_in_the_format_of_today_are_the_same_settings(run: str, tmp_path: Path) -> None:
    text = (OLD / run / "settings.json").read_text()
    assert "format" not in json.loads(text)
    method, settings = read_run(OLD / run)
    assert method.name == settings.run.method
    (tmp_path / "settings.json").write_text(to_text(settings))
    assert json.loads(to_text(settings))["format"] == FORMAT
    assert read_run(tmp_path) == (method, settings)
    assert parse_run(to_text(settings)) == (method, settings)


def old_run(folder: Path, **sections: Any) -> Path:
    """The old run of DX2CT, some keys of its settings changed or, by None, taken out."""
    shutil.copytree(OLD / "dx2ct", folder)
    values = json.loads((folder / "settings.json").read_text())
    for section, changes in sections.items():
        if not isinstance(changes, dict):
            values[section] = changes
            continue
        values[section] |= {key: value for key, value in changes.items() if value is not None}
        for key in [key for key, value in changes.items() if value is None]:
            del values[section][key]
    (folder / "settings.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"format": 3}, r"format 3 is newer than this program's, 2: update dx2ct"),
        ({"format": "1"}, r"format '1' is no format of a run's settings"),
        ({"format": 0}, r"format 0 is no format"),
        ({"volume": {"max_hole_mm": None}}, r"volume\.max_hole_mm is missing"),
        ({"train": {"steps": None}}, r"train\.steps is missing"),
        ({"run": {"views": None}}, r"run\.views is missing"),
        ({"run": {"method": "dx3ct"}}, r"unknown method 'dx3ct'; known: dx2ct, "),
        ({"run": {"method": None}}, r"names no run\.method: not the settings of a run"),
        ({"run": {"views": ["pa", "frontal"]}}, r"frontal is not a name of xray\.views \(pa, lateral\)"),
        ({"model": {"wings": 2}}, r"model\.wings: unknown key"),
        ({"train": {"steps": 800.0}}, r"train\.steps: 800\.0 is no integer"),
        ({"volume": {"version": 1}}, r"settings of stage volume are of version 1, the code is of 2: update, or train"),
    ],
    ids=str,
)
def test_an_old_run_that_cannot_be_used_is_one_line(sections: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"run/settings\.json: .*{message}") as caught:
        dx2ct.load(old_run(tmp_path / "run", **sections), "cpu", 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("run", RUNS)
def test_damaged_weights_are_one_line(run: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(OLD / run, tmp_path / "run"))
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no weights at all"):
        weights.write_bytes(content)
        with pytest.raises(InputError, match=r"run/weights\.safetensors: damaged weights \(.*\): copy") as caught:
            dx2ct.load(folder, "cpu", 1)
        assert "\n" not in str(caught.value)
