"""A prediction from files to files: `dx2ct predict`."""

import hashlib
import json
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Any

import cv2
import numpy as np
from pydicom import dcmread
import pytest
from typer.testing import CliRunner

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import read_volume
import dx2ct
from dx2ct import layout
from dx2ct.cli import app
from dx2ct.config import SamplingOptions
from dx2ct.methods.trained_on import Stage, TrainedOn, write_trained_on
from dx2ct.predict.answer import NO_BOUND
from dx2ct.predict.command import Outputs, predict
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.scoring.deviation import learn, write_scale
from tests.dx2ct.predict.conftest import xray_files
from tests.fabricate import (
    random_run,
    tiny,
    train,
)


def command(*words: object) -> "subprocess.CompletedProcess[str]":
    """`dx2ct predict` in a process of its own."""
    line = [sys.executable, "-m", "dx2ct", "predict", *map(str, words), "--device", "cpu", "--threads", "1"]
    return subprocess.run(line, capture_output=True, text=True)


@pytest.mark.slow
def test_a_classical_method_refuses_a_film(films: dict[str, Path], data: Path, tmp_path: Path):
    """A film's grey has no unit, and so no attenuation."""
    train(tiny("sart"), data, tmp_path / "sart")
    found = dx2ct.load(tmp_path / "sart", "cpu", 1)
    with pytest.raises(InputError, match=r"pa\.png: SART needs the line integrals of the pa view, this is a film"):
        found.reconstruct(films)
    xrays = ("--pa", films["pa"], "--lateral", films["lateral"])
    done = command("--model", tmp_path / "sart", *xrays, "-o", tmp_path / "a.nii")
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("error: ") and "is a film" in done.stderr
    assert not (tmp_path / "a.nii").exists()


def test_what_the_weights_were_trained_on_is_said_and_recorded(data: Path, tmp_path: Path, capsys):
    run = random_run(tmp_path / "fine", tiny("lift"))
    stages = (Stage("phantom", "phantom.tsv", 200, 200, 400), Stage("own", "cohort.tsv", 6, 5, 150, "fold1"))
    write_trained_on(run, TrainedOn(stages))
    predict(dx2ct.load(run, "cpu", 1), xray_files(data), {}, Outputs(tmp_path / "ct.nii.gz"), {})
    said = "the model was trained on 200 procedural phantoms of phantom.tsv, then on 6 CTs of cohort.tsv (fold fold1)"
    told = capsys.readouterr().err
    assert f"note: {said}\n" in told and f"note: {NO_BOUND}\n" in told
    record = json.loads((tmp_path / "ct.run.json").read_text())
    assert said in record["notes"] and NO_BOUND in record["notes"]
    assert record["model"]["trained_on"][1] == {
        "data": "own", "sheet": "cohort.tsv", "scans": 6, "patients": 5, "steps": 150, "fold": "fold1", "drawn": 0
    }  # fmt: skip


@pytest.mark.slow
def test_everything_is_written(model: Model, films: dict[str, Path], tmp_path: Path, capsys):
    out = tmp_path / "out"
    outputs = Outputs(out / "ct.nii.gz", out / "dicom", out / "sheet.png", out / "preview.png")
    predict(model, films, {"lateral": Framing(flip=True)}, outputs, {"steps": 2, "seed": 7})
    assert sorted(p.name for p in out.iterdir()) == ["ct.nii.gz", "ct.run.json", "dicom", "preview.png", "sheet.png"]
    volume = read_volume(out / "ct.nii.gz")
    assert volume.is_canonical and volume.array.shape == (32,) * 3 and volume.spacing_mm == (10.0,) * 3
    series = read_ct(out / "dicom")
    np.testing.assert_array_equal(series.array, volume.array)
    np.testing.assert_allclose(series.origin_mm, volume.origin_mm, atol=1e-3)
    record = json.loads((out / "ct.run.json").read_text())
    assert (
        record["sampling"]["steps"] == 2
        and record["sampling"]["seed"] == 7
        and record["device"] == "cpu"
        and record["seconds"] > 0
    )
    for view, path in films.items():
        assert record["inputs"][view]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["inputs"]["lateral"]["framing"]["flip"] and record["inputs"]["lateral"]["spacing_mm"] == [2.0, 2.0]
    printed = capsys.readouterr().err
    assert "domain shift" in printed and "Not a medical device" in printed and "(PixelSpacing)" in printed
    assert record["model"]["trained_on"] is None and "trained on" not in printed, "weights of earlier versions"
    for name in ("sheet.png", "preview.png"):
        assert cv2.imread(str(out / name)).std() > 20


def test_the_series_says_what_it_is_and_carries_no_patient(model: Model, films: dict[str, Path], tmp_path: Path):
    for folder in ("a", "b"):
        outputs = Outputs(tmp_path / folder / "ct.nii.gz", tmp_path / folder / "dicom")
        predict(model, films, {}, outputs, {"steps": 1})
    uids = []
    for folder in ("a", "b"):
        files = sorted((tmp_path / folder / "dicom").iterdir())
        assert len(files) == 32
        for path in files:
            assert b"SECRET" not in path.read_bytes() and b"Doe" not in path.read_bytes()
            slice_ = dcmread(path)
            assert list(slice_.ImageType[:2]) == ["DERIVED", "SECONDARY"] and slice_.SyntheticData == "YES"
            assert "SYNTHESIZED" in slice_.SeriesDescription and "research only" in slice_.SeriesDescription
            uids += [slice_.SOPInstanceUID]
        uids += [slice_.SeriesInstanceUID, slice_.StudyInstanceUID, slice_.FrameOfReferenceUID]
    assert len(set(uids)) == len(uids) and all(uid.is_valid for uid in uids)


def test_the_preview_alone_needs_no_reconstruction(model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Model, "answer", None)
    predict(model, films, {}, Outputs(None, preview=tmp_path / "p.png"), {"steps": 2})
    assert cv2.imread(str(tmp_path / "p.png")).std() > 20


def test_nothing_is_written_when_one_part_fails(model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dx2ct.predict.command.write_sheet", full)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"s\.png: cannot be written \(.*No space left on device\): nothing was"):
        outputs = Outputs(out / "ct.nii.gz", out / "dicom", out / "s.png", out / "p.png")
        predict(model, films, {}, outputs, {"steps": 1})
    assert list(out.iterdir()) == []


def test_a_volume_that_did_not_arrive_whole_is_not_kept(
    model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("drr.volume._is_whole", lambda *_: False)
    with pytest.raises(InputError, match=r"ct\.nii: cannot be written \(did not arrive whole, is the disk full\?"):
        predict(model, films, {}, Outputs(tmp_path / "out/ct.nii"), {"steps": 1})
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_several_samples_bring_their_deviation(model: Model, films: dict[str, Path], tmp_path: Path):
    outputs = Outputs(tmp_path / "ct.nii.gz")
    predict(model, films, {}, outputs, {"steps": 2, "samples": 3})
    assert outputs.deviation == tmp_path / "ct.deviation.nii.gz"
    deviation, volume = read_volume(outputs.deviation), read_volume(tmp_path / "ct.nii.gz")
    assert deviation.array.dtype == np.float32 and deviation.origin_mm == volume.origin_mm
    assert deviation.array.min() >= 0 and deviation.array.max() > 1
    record = json.loads((tmp_path / "ct.run.json").read_text())
    assert record["sampling"]["samples"] == 3 and record["deviation"] == {"calibrated": False}
    predict(model, films, {}, Outputs(tmp_path / "one.nii.gz"), {"steps": 2})
    assert not (tmp_path / "one.deviation.nii.gz").exists()
    assert not np.array_equal(read_volume(tmp_path / "one.nii.gz").array, volume.array)
    assert "deviation" not in json.loads((tmp_path / "one.run.json").read_text())


@pytest.mark.slow
def test_a_known_scale_calibrates_the_deviation(films: dict[str, Path], tmp_path: Path, capsys):
    run = random_run(tmp_path / "run")
    random = np.random.default_rng(0)
    stated = random.uniform(5, 50, 9_000)
    voxels = {scan: (stated, random.normal(0, 3 * stated)) for scan in ("v1", "v2")}
    options = {"steps": 2, "samples": 2}

    def predicted(name: str, **changed: int) -> tuple[np.ndarray, dict[str, Any], str]:
        predict(dx2ct.load(run, "cpu", 1), films, {}, Outputs(tmp_path / f"{name}.nii.gz"), options | changed)
        record = json.loads((tmp_path / f"{name}.run.json").read_text())["deviation"]
        return read_volume(tmp_path / f"{name}.deviation.nii.gz").array, record, capsys.readouterr().err

    raw, none, said = predicted("raw")
    assert none == {"calibrated": False} and "not calibrated, the run has no deviation_scale.json" in said
    weights = hashlib.sha256(layout.weights(run).read_bytes()).hexdigest()
    scale = learn(voxels, SamplingOptions(**options), weights)
    write_scale(scale, layout.deviation_scale(run))
    wide, record, said = predicted("wide")
    np.testing.assert_allclose(wide, scale.applied(raw), rtol=1e-5)
    assert record["calibrated"] and record["scale"] == scale.scale == pytest.approx(3, rel=0.05)
    assert record["floor_hu"] == scale.floor_hu
    assert record["scans"] == ["v1", "v2"] and record["coverage"]["held_out"]["one"] == pytest.approx(0.68, abs=0.02)
    assert "calibrated, times " in said and "learnt on 2 validation scans; one deviation covers 68 %" in said
    _, other, said = predicted("other", steps=1)
    assert other == {"calibrated": False} and "learnt with another sampling" in said


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".NRRD"])
def test_a_name_with_dots_has_a_record_and_a_deviation_of_its_own(ending: str):
    for name in ("ct", "anna.1", "1.2.840.2", "x.nii.1", ".hidden"):
        outputs = Outputs(Path("o") / f"{name}{ending}")
        assert outputs.record == Path("o") / f"{name}.run.json"
        assert outputs.deviation == Path("o") / f"{name}.deviation{ending}"


def test_outputs_that_cannot_be_are_refused_at_once(model: Model, films: dict[str, Path], tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").touch()
    for outputs, reason in (
        (Outputs(None), "nothing to write"),
        (Outputs(None, png=tmp_path / "a.png"), "come with a volume"),
        (Outputs(tmp_path / "ct.txt"), "no volume is written to it"),
        (Outputs(tmp_path / "ct.nii", png=tmp_path / "a.jpg"), r"ends in \.png"),
        (Outputs(tmp_path / "ct.nii", dicom=tmp_path / "full"), "holds files already"),
        (Outputs(tmp_path / "ct.nii", png=films["pa"]), "have the same name"),
    ):
        with pytest.raises(InputError, match=reason):
            predict(model, films, {}, outputs, {"steps": 1})


def test_a_name_that_is_too_long_until_it_is_written_is_refused_at_once(
    model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        patched.setattr(Model, "prepare", None)
        for letters, surplus in (("a" * 225, 25), ("\u00e4" * 110, 20)):
            with pytest.raises(InputError, match=rf"\.nii\.gz: its name is too long by {surplus} bytes: choose"):
                predict(model, films, {}, Outputs(tmp_path / f"out/{letters}.nii.gz"), {"steps": 1})
    assert not (tmp_path / "out").exists()
    predict(model, films, {}, Outputs(tmp_path / f"out/{'a' * 198}.nii.gz"), {"steps": 1})
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody may write to")
@pytest.mark.parametrize("ending", [".nii.gz", ".mha"])
def test_a_folder_that_takes_no_file_is_one_line(ending: str, model: Model, films: dict[str, Path], capfd):
    with pytest.raises(InputError) as caught:
        predict(model, films, {}, Outputs(Path(f"/proc/x{ending}")), {"steps": 1})
    assert str(caught.value) == (
        f"/proc/x{ending}: cannot be written (No such file or directory): nothing was written: free some space, or "
        "choose another place"
    )
    assert "ERROR" not in capfd.readouterr().err, "of ITK"


@pytest.mark.slow
def test_no_temporary_folder_is_written(
    model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """X-rays reach the network as arrays; outputs are written beside their names."""
    for name in ("mkdtemp", "mkstemp", "mktemp", "TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile"):
        monkeypatch.setattr(tempfile, name, None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    out = tmp_path / "out"
    outputs = Outputs(out / "ct.nii.gz", out / "dicom", out / "sheet.png", out / "preview.png")
    predict(model, films, {}, outputs, {"steps": 1})
    assert len(list(out.iterdir())) == 5 and not list(out.glob(".*"))


@pytest.mark.slow
def test_views_by_name_on_the_command_line(data: Path, tmp_path: Path):
    """--xray NAME=FILE, also for pa and lateral; a view given twice, no name and no file are one line."""
    run = random_run(tmp_path / "run", tiny("dx2ct", {"views": ["pa", "oblique"]}))
    files = xray_files(data, ("pa", "oblique"))
    asked = ["predict", "--model", str(run), "--steps", "1", "--device", "cpu", "--threads", "1"]

    def words(*more: object) -> list[str]:
        return [*asked, *map(str, more)]

    one = words("--pa", files["pa"], "--xray", f"oblique={files['oblique']}", "-o", tmp_path / "one.nii.gz")
    two = words("--xray", f"oblique={files['oblique']}", "--xray", f"pa={files['pa']}", "-o", tmp_path / "two.nii.gz")
    for line in (one, two):
        assert CliRunner().invoke(app, line, catch_exceptions=False).exit_code == 0
    arrays = [read_volume(tmp_path / f"{name}.nii.gz").array for name in ("one", "two")]
    np.testing.assert_array_equal(*arrays)
    assert set(json.loads((tmp_path / "one.run.json").read_text())["inputs"]) == {"pa", "oblique"}
    for more, message in (
        (("--pa", files["pa"], "--xray", f"pa={files['pa']}"), "a view is given twice"),
        (("--xray", files["pa"]), "write NAME=FILE"),
        (("--xray", "=pa.mha"), "write NAME=FILE"),
        (
            ("--pa", files["pa"], "--xray", f"frontal={files['pa']}"),
            "X-rays of pa and frontal, the model was",
        ),
        (("--pa", files["pa"], "--lateral", files["pa"]), "X-rays of pa and lateral, the model was"),
    ):
        failed = CliRunner().invoke(app, words(*more, "-o", tmp_path / "never.nii.gz"))
        assert isinstance(failed.exception, InputError) and message in str(failed.exception)
    assert not (tmp_path / "never.nii.gz").exists()


@pytest.mark.slow
def test_the_command_line_ends_with_one_line(films: dict[str, Path], tmp_path: Path):
    done = command("--pa", films["pa"], "--model", tmp_path, "-o", tmp_path / "a.nii")
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "a.nii").exists()
