"""Training and reconstruction on fabricated scans."""

import json
import os
from pathlib import Path
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file
import SimpleITK as sitk
import torch

from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct.config import OptimizerSettings, parse, SlicesSettings, XraySettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.prepare.xrays import make_slices, make_xrays
from dx2ct.methods.dx2ct import method as dx2ct_method
from dx2ct.methods.registry import method_of
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.training.log import LOG
import dx2ct.training.loop
from dx2ct.training.resume import STATE
from dx2ct.training.state import learning_rate, Training
from tests.dx2ct.settings_for_tests import plain, tiny

CPU = torch.device("cpu")
ROWS = [Row(f"scan-{i}", f"scan-{i}", "", "", "train" if i < 3 else "test") for i in range(4)]
HOW = plain(steps=2, batch=20)
MEAN = json.dumps({"run": {"method": "mean"}} | {k: json.loads(tiny())[k] for k in ("volume", "slices")})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for i, row in enumerate(ROWS):
        hu = np.random.default_rng(i).integers(-1000, 400, (64, 64, 64)).astype(np.int16)
        path = folder / "volumes" / f"{row.scan}.mha"
        Volume(hu, (5.0, 5.0, 5.0), (-157.5 + i, -157.5, 1000.0)).write(path)
        make_xrays(path, XraySettings(1, "x2ct", "plastimatch"), folder / "xrays" / row.scan)
        make_slices(path, SlicesSettings(1, 32), folder / "slices" / row.scan)
    return folder


class KilledError(Exception):
    pass


def test_resumed_training_equals_an_undisturbed_one(data: Path, tmp_path: Path, monkeypatch):
    """Bit for bit, dropout included, when the process dies between two savings of the state."""
    settings = json.loads(tiny())
    settings["model"]["unet"]["dropout"] = 0.2
    text = json.dumps(settings)
    dx2ct_method.train(text, ROWS, data, tmp_path / "whole", CPU)
    update = Training.update

    def dying(self, loss):
        if self.step == 5:
            raise KilledError
        update(self, loss)
        monkeypatch.setattr(dx2ct.training.loop, "SAVE_EVERY_S", 0.0 if self.step == 4 else 1e9)

    monkeypatch.setattr(Training, "update", dying)
    with pytest.raises(KilledError):
        dx2ct_method.train(text, ROWS, data, tmp_path / "cut", CPU)
    assert {p.name for p in (tmp_path / "cut").iterdir()} == {STATE, LOG}
    assert torch.load(tmp_path / "cut" / STATE, weights_only=True)["step"] == 4
    monkeypatch.setattr(Training, "update", update)
    dx2ct_method.train(text, ROWS, data, tmp_path / "cut", CPU)
    whole, cut = (load_file(tmp_path / run / "weights.safetensors") for run in ("whole", "cut"))
    assert whole.keys() == cut.keys() and all(torch.equal(whole[name], cut[name]) for name in whole)
    logs = [[line.split(",")[:5] for line in (tmp_path / run / "training.csv").open()] for run in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_finished_training_is_not_done_again_until_it_is_used(data: Path, tmp_path: Path, monkeypatch, capsys):
    """The workflow may be killed before it notes that the training is done; `-R train` later must begin anew."""
    dx2ct_method.train(tiny(), ROWS, data, tmp_path, CPU)
    monkeypatch.setattr(Training, "update", None)  # any further step would fail
    dx2ct_method.train(tiny(), ROWS, data, tmp_path, CPU)
    assert "resumed at step 6" in capsys.readouterr().out
    reconstruct_scan("scan-3", tmp_path, HOW, data, CPU)
    assert not (tmp_path / STATE).exists()


@pytest.mark.parametrize("change", ["settings", "data"])
def test_a_state_of_something_else_is_not_resumed(change: str, data: Path, tmp_path: Path, capsys):
    other = Path(shutil.copytree(data, tmp_path / "data"))
    dx2ct_method.train(tiny(), ROWS, other, tmp_path, CPU)
    if change == "data":
        os.utime(other / "slices/scan-0/axial.npy")
    dx2ct_method.train(tiny(prediction="v" if change == "settings" else "x0"), ROWS, other, tmp_path, CPU)
    assert "training starts anew" in capsys.readouterr().out


def test_loss_falls_on_a_fixed_batch(data: Path, tmp_path: Path):
    settings = json.loads(tiny())
    settings["train"]["steps"] = 40
    dx2ct_method.train(json.dumps(settings), ROWS[:1], data, tmp_path, CPU)
    losses = [float(line.split(",")[1]) for line in (tmp_path / "training.csv").read_text().splitlines()[1:]]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("settings", [MEAN, tiny(), tiny(views=["pa"], query_transformer=False, prediction="v")])
def test_any_method_trains_and_reconstructs(settings: str, data: Path, tmp_path: Path):
    """The contract: files appear, volumes are HU, lie where the scan lies, and come out the same twice."""
    method_of(settings).train(settings, ROWS, data, tmp_path, CPU)
    reconstruct_scan("scan-3", tmp_path, HOW, data, CPU)
    files = [tmp_path / "volumes" / "scan-3.nii.gz"]
    files += [tmp_path / "planes" / "scan-3" / f"{plane}.nii.gz" for plane in ("axial", "coronal", "sagittal")]
    truth = read_volume(data / "volumes" / "scan-3.mha")
    first = [read_volume(file) for file in files]
    for volume in first:
        assert volume.array.shape == (32, 32, 32) and volume.array.dtype == np.int16
        assert volume.array.min() >= -1024 and volume.array.max() <= 1476
        np.testing.assert_allclose(volume.centre_mm, truth.centre_mm, atol=1e-3)
        np.testing.assert_allclose(volume.spacing_mm, 10.0, rtol=1e-5)
    np.testing.assert_allclose(first[0].array, np.mean([v.array for v in first[1:]], axis=0), atol=1.0)
    reconstruct_scan("scan-3", tmp_path, HOW, data, CPU)
    for file, volume in zip(files, first, strict=True):
        np.testing.assert_array_equal(read_volume(file).array, volume.array)


def test_mean_is_the_mean(data: Path, tmp_path: Path):
    method_of(MEAN).train(MEAN, ROWS, data, tmp_path, CPU)
    stacks = [np.load(data / "slices" / row.scan / "axial.npy").astype(float) for row in ROWS[:3]]
    reconstruct_scan("scan-3", tmp_path, HOW, data, CPU)
    np.testing.assert_allclose(read_volume(tmp_path / "volumes" / "scan-3.nii.gz").array, np.mean(stacks, 0), atol=0.51)


def test_no_training_scan_and_no_run_are_refused(data: Path, tmp_path: Path):
    for settings in (tiny(), MEAN):
        with pytest.raises(InputError, match="no scan of split train"):
            method_of(settings).train(settings, ROWS[3:], data, tmp_path, CPU)
    with pytest.raises(InputError, match=r"settings\.json: no trained run here"):
        reconstruct_scan("scan-3", tmp_path / "nothing", HOW, data, CPU)


def test_batches_that_do_not_divide_are_refused(data: Path, tmp_path: Path):
    settings = json.loads(tiny())
    settings["train"]["batch"] = 5
    with pytest.raises(InputError, match=r"train\.batch 5 is no multiple of train\.slices_per_patient 2"):
        dx2ct_method.train(json.dumps(settings), ROWS, data, tmp_path, CPU)


def test_missing_or_broken_inputs_name_the_file(data: Path, tmp_path: Path):
    other = tmp_path / "slices" / "scan-0"
    other.mkdir(parents=True)
    (other / "axial.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match=r"scan-0/axial\.npy: not a slice stack"):
        method_of(MEAN).train(MEAN, ROWS, tmp_path, tmp_path, CPU)
    volume = tmp_path / "flat.mha"
    sitk.WriteImage(sitk.Image(8, 8, 4, sitk.sitkInt16), volume)
    with pytest.raises(InputError, match=r"flat\.mha: .* cannot be averaged to a cube of 16"):
        make_slices(volume, SlicesSettings(1, 16), tmp_path)


def test_learning_rate_warms_up_and_falls():
    settings = json.loads(tiny())["train"] | {"steps": 100, "warmup_steps": 10}
    train = parse(OptimizerSettings, json.dumps(settings))
    rates = [learning_rate(train, step) for step in range(100)]
    assert (
        rates[0] == pytest.approx(1e-4, rel=0.01) and max(rates) == pytest.approx(1e-3, rel=0.03) and rates[-1] < 1e-6
    )
