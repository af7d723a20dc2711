"""Framing, checks, and a prediction from files to files."""

import hashlib
import json
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
from pydicom import dcmread
import pytest
import torch

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import read_volume, Volume
import dx2ct
from dx2ct.config import XraySettings
from dx2ct.data.prepare.xrays import make_xrays
from dx2ct.data.scans import read_xrays
from dx2ct.predict.checks import doubts
from dx2ct.predict.command import Outputs, predict
from dx2ct.predict.framing import Framing, oriented, parse_framings, squared
from dx2ct.predict.model import Model, sampling
from dx2ct.predict.read import read_xray
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.predict.xray import Xray
from tests.dx2ct.predict.films import changed, lateral, pa, write_dicom, write_model
from tests.dx2ct.settings_for_tests import plain, tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return dx2ct.load(write_model(tmp_path_factory.mktemp("runs") / "run"), "cpu", 1)


@pytest.fixture
def films(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "in").mkdir()
    files = {"pa": tmp_path / "in/pa.png", "lateral": tmp_path / "in/lateral.dcm"}
    cv2.imwrite(str(files["pa"]), (pa() * 65535).astype(np.uint16))
    write_dicom(files["lateral"], (lateral() * 4000).astype(np.uint16), PixelSpacing=[0.2, 0.2])
    return files


def film(array: np.ndarray) -> Xray:
    return Xray(array.astype(np.float32), "film", "film.png")


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
    said = parse_framings(["pa", "lateral"], ["pa:1,2,30,40"], ["lateral:270"], ["lateral"], [])
    assert said == {"pa": Framing(crop=(1, 2, 30, 40)), "lateral": Framing(rotate=270, flip=True)}
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


def test_real_films_are_recognised(real_data: Path):
    """Every negative is doubted, no film as it is, and 11 of 12 lateral films given as PA."""
    swapped = []
    for path in sorted((real_data / "xray").glob("*.png")):
        view = path.name.partition("_")[0]
        image = oriented(read_xray(path), Framing())
        assert doubts(view, image) == [], path
        assert "--invert" in " ".join(doubts(view, 1 - image)), path
        swapped += [bool(doubts("pa", image))] if view == "lateral" else []
    assert sum(swapped) >= 11


def test_own_line_integrals_give_the_workflow_s_reconstruction(model: Model, tmp_path: Path):
    hu = np.random.default_rng(3).integers(-1000, 400, (64, 64, 64)).astype(np.int16)
    Volume(hu, (5.0, 5.0, 5.0), (-157.5, -157.5, 1000.0)).write(tmp_path / "volumes/s.mha")
    make_xrays(tmp_path / "volumes/s.mha", XraySettings(1, "x2ct", "plastimatch"), tmp_path / "xrays/s")
    run = write_model(tmp_path / "run")
    reconstruct_scan("s", run, plain(seed=5), tmp_path, CPU)
    workflow = read_volume(run / "volumes/s.nii.gz")
    files = {view: tmp_path / f"xrays/s/{view}.mha" for view in model.views}
    got = model.reconstruct(**files, steps=2, seed=5)
    np.testing.assert_array_equal(got.array, workflow.array)
    np.testing.assert_allclose(got.spacing_mm, workflow.spacing_mm)
    np.testing.assert_allclose(got.centre_mm, 0, atol=1e-9)
    seen = model.seen(model.prepare(files, {}))
    np.testing.assert_array_equal(seen, read_xrays(tmp_path, "s", model.views, 32))
    assert not np.array_equal(model.reconstruct(**files, steps=2, seed=6).array, got.array)


def test_everything_is_written(model: Model, films: dict[str, Path], tmp_path: Path, capsys):
    out = tmp_path / "out"
    outputs = Outputs(out / "ct.nii.gz", out / "dicom", out / "sheet.png", out / "preview.png")
    predict(model, films, {"lateral": Framing(flip=True)}, outputs, sampling(2, 7))
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
    assert record["inputs"]["lateral"]["framing"]["flip"] and record["inputs"]["lateral"]["spacing_mm"] == [0.2, 0.2]
    said = capsys.readouterr().err
    assert "domain shift" in said and "Not a medical device" in said and "by PixelSpacing" in said
    for name in ("sheet.png", "preview.png"):
        assert cv2.imread(str(out / name)).std() > 20


def test_the_series_says_what_it_is_and_carries_no_patient(model: Model, films: dict[str, Path], tmp_path: Path):
    for folder in ("a", "b"):
        outputs = Outputs(tmp_path / folder / "ct.nii.gz", tmp_path / folder / "dicom")
        predict(model, films, {}, outputs, sampling(1))
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
    monkeypatch.setattr(Model, "volumes_of", None)
    predict(model, films, {}, Outputs(None, preview=tmp_path / "p.png"), sampling(2))
    assert cv2.imread(str(tmp_path / "p.png")).std() > 20


def test_nothing_is_written_when_one_part_fails(model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dx2ct.predict.command.write_sheet", full)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"s\.png: cannot be written \(.*No space left on device\): nothing was"):
        predict(model, films, {}, Outputs(out / "ct.nii.gz", out / "dicom", out / "s.png", out / "p.png"), sampling(1))
    assert list(out.iterdir()) == []


def test_a_volume_that_did_not_arrive_whole_is_not_kept(
    model: Model, films: dict[str, Path], tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("drr.volume._is_whole", lambda *_: False)
    with pytest.raises(InputError, match=r"ct\.nii: cannot be written \(did not arrive whole, is the disk full\?"):
        predict(model, films, {}, Outputs(tmp_path / "out/ct.nii"), sampling(1))
    assert list((tmp_path / "out").iterdir()) == []


def test_several_samples_bring_their_deviation(model: Model, films: dict[str, Path], tmp_path: Path):
    outputs = Outputs(tmp_path / "ct.nii.gz")
    predict(model, films, {}, outputs, sampling(2, samples=3))
    assert outputs.deviation == tmp_path / "ct.deviation.nii.gz"
    deviation, volume = read_volume(outputs.deviation), read_volume(tmp_path / "ct.nii.gz")
    assert deviation.array.dtype == np.float32 and deviation.origin_mm == volume.origin_mm
    assert deviation.array.min() >= 0 and deviation.array.max() > 1
    assert json.loads((tmp_path / "ct.run.json").read_text())["sampling"]["samples"] == 3
    predict(model, films, {}, Outputs(tmp_path / "one.nii.gz"), sampling(2))
    assert not (tmp_path / "one.deviation.nii.gz").exists()
    assert not np.array_equal(read_volume(tmp_path / "one.nii.gz").array, volume.array)


def test_consistency_is_for_line_integrals_in_their_geometry(model: Model, films: dict[str, Path], tmp_path: Path):
    with pytest.raises(InputError, match=r"pa\.png: consistency needs the line integrals .* is a film"):
        model.reconstruct(**films, steps=1, consistency=3)
    views = {view: Xray(image().astype(np.float32), "integrals", f"{view}.mha") for view, image in
             (("pa", lambda: pa(160)), ("lateral", lambda: lateral(160)))}  # fmt: skip
    with pytest.raises(InputError, match=r"lateral\.mha: consistency .* cropped, turned or padded"):
        model.reconstruct(**views, framing={"lateral": Framing(flip=True)}, steps=1, consistency=3)
    assert model.reconstruct(**views, steps=1, consistency=3).array.shape == (32,) * 3


def test_outputs_that_cannot_be_are_refused_at_once(model: Model, films: dict[str, Path], tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").touch()
    for outputs, reason in (
        (Outputs(None), "nothing to write"),
        (Outputs(None, png=tmp_path / "a.png"), "come with a volume"),
        (Outputs(tmp_path / "ct.txt"), "not a volume file"),
        (Outputs(tmp_path / "ct.nii", png=tmp_path / "a.jpg"), r"ends in \.png"),
        (Outputs(tmp_path / "ct.nii", dicom=tmp_path / "full"), "holds files already"),
        (Outputs(tmp_path / "ct.nii", png=films["pa"]), "have the same name"),
    ):
        with pytest.raises(InputError, match=reason):
            predict(model, films, {}, outputs, sampling(1))


def test_a_model_is_given_its_own_views(model: Model, films: dict[str, Path], tmp_path: Path):
    with pytest.raises(InputError, match=r"run: a model of pa and lateral, given pa: give"):
        model.reconstruct(films["pa"])
    mono = dx2ct.load(write_model(tmp_path / "mono", tiny(views=["pa"])), "cpu", 1)
    with pytest.raises(InputError, match=r"mono: a model of pa, given pa and lateral"):
        mono.reconstruct(films["pa"], films["lateral"])
    assert mono.reconstruct(films["pa"], steps=1).array.shape == (32,) * 3


def test_a_crop_smaller_than_the_network_s_image_is_refused(model: Model):
    with pytest.raises(InputError, match=r"film\.png: 20 pixels a side, the network sees 32"):
        model.reconstruct(film(pa()), film(lateral()), framing={"pa": Framing(crop=(2, 70, 22, 90))})


def test_folders_that_are_no_model_are_refused(tmp_path: Path):
    good = write_model(tmp_path / "good")
    weights, text = (good / "weights.safetensors").read_bytes(), (good / "settings.json").read_text()
    old = json.loads(text)
    del old["volume"]["max_hole_mm"]
    for number, (settings, stored, reason) in enumerate((
        (None, weights, "no trained run here"),
        (text, None, "the run is not finished"),
        ("{", weights, "not the settings of a run"),
        (json.dumps(old), weights, r"of another version of dx2ct \(.*max_hole_mm"),
        (changed(text, "volume", version=1), weights, r"versions \(1, 1, 1\), here"),
        (json.dumps({"run": {"method": "mean"}}), weights, "does not learn from films"),
        (text, weights[: len(weights) // 2], "weights"),
    )):  # fmt: skip
        folder = tmp_path / f"bad-{number}"
        folder.mkdir()
        if settings is not None:
            (folder / "settings.json").write_text(settings)
        if stored is not None:
            (folder / "weights.safetensors").write_bytes(stored)
        with pytest.raises(InputError, match=rf"bad-{number}.*{reason}"):
            dx2ct.load(folder, "cpu", 1).reconstruct(film(pa()), film(lateral()), steps=1)


def test_the_command_line_says_one_line(films: dict[str, Path], tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "dx2ct",
        "predict",
        "--pa",
        films["pa"],
        "--model",
        tmp_path,
        "-o",
        tmp_path / "a.nii",
    ]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "a.nii").exists()


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, dx2ct; print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules], dx2ct.load)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")
