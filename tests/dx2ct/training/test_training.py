"""Training and reconstruction of prepared scans: the same again, resumed, used, and refused."""

import os
from pathlib import Path
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from drr.errors import InputError
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.config import check, SamplingOptions, SlicesSettings, TrainSettings
from dx2ct.data.planes import PLANES
from dx2ct.data.prepare.slices import make_slices
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.training.log import LOG
import dx2ct.training.loop
from dx2ct.training.resume import OLDER, STATE
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import learning_rate, Training
from tests.fabricate import cohort, options, random_run, rows, tiny, train, weights_of

pytestmark = pytest.mark.slow
ROWS = rows()
OPTIONS = options(batch=20)
CPU = Runtime()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


class KilledError(Exception):
    pass


def test_resumed_training_equals_an_undisturbed_one(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Bit for bit, dropout included, when the process dies between two savings of the state."""
    settings = tiny(model={"unet": {"dropout": 0.2}}, train={"steps": 6})
    train(settings, data, tmp_path / "whole")
    update = Training.update

    def dying(self, *losses):
        if self.step == 5:
            raise KilledError
        update(self, *losses)
        monkeypatch.setattr(dx2ct.training.loop, "is_due", lambda waited_s, every_s: self.step == 4)

    monkeypatch.setattr(Training, "update", dying)
    with pytest.raises(KilledError):
        train(settings, data, tmp_path / "cut")
    assert {p.name for p in (tmp_path / "cut").iterdir()} == {STATE, LOG}
    assert torch.load(tmp_path / "cut" / STATE, weights_only=True)["step"] == 4
    monkeypatch.setattr(Training, "update", update)
    train(settings, data, tmp_path / "cut")
    whole, cut = (weights_of(tmp_path / run) for run in ("whole", "cut"))
    assert whole.keys() == cut.keys() and all(torch.equal(whole[name], cut[name]) for name in whole)
    logs = [[line.split(",")[:5] for line in (tmp_path / run / LOG).open()] for run in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_finished_training_is_not_done_again_until_it_is_used(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The workflow may be killed before it notes that the training is done; `-R train` later must begin anew."""
    train(tiny(), data, tmp_path)
    monkeypatch.setattr(Training, "update", None)  # any further step would fail
    train(tiny(), data, tmp_path)
    assert f"resumed at step {tiny().train.steps}" in capsys.readouterr().out
    reconstruct_scan("scan-3", tmp_path, OPTIONS, data, CPU)
    assert not (tmp_path / STATE).exists()


@pytest.mark.parametrize("fails", [False, True], ids=["reconstructed", "reconstruction fails"])
def test_a_newer_training_that_was_interrupted_keeps_its_state_when_the_older_run_is_used(
    fails: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    train(tiny(), data, tmp_path)
    update = Training.update

    def dying(self, *losses):
        if self.step == 2:
            raise KilledError
        update(self, *losses)

    monkeypatch.setattr(Training, "update", dying)
    monkeypatch.setattr(dx2ct.training.loop, "is_due", lambda waited_s, every_s: True)
    newer = tiny(train={"steps": 5})
    with pytest.raises(KilledError):
        train(newer, data, tmp_path)
    monkeypatch.setattr(Training, "update", update)
    kept = {name: (tmp_path / name).read_bytes() for name in (STATE, OLDER)}
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == 2
    if fails:
        with pytest.raises(InputError, match="scan-9"):
            reconstruct_scan("scan-9", tmp_path, OPTIONS, data, CPU)
    else:
        reconstruct_scan("scan-3", tmp_path, OPTIONS, data, CPU)
        assert layout.reconstruction(tmp_path, "scan-3").exists()
    assert kept == {name: (tmp_path / name).read_bytes() for name in kept}
    train(newer, data, tmp_path)
    train(newer, data, tmp_path / "whole")
    cut, whole = weights_of(tmp_path), weights_of(tmp_path / "whole")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_reconstruction_that_fails_leaves_the_states_of_the_finished_run(data: Path, tmp_path: Path):
    train(tiny(), data, tmp_path)
    with pytest.raises(InputError, match="scan-9"):
        reconstruct_scan("scan-9", tmp_path, OPTIONS, data, CPU)
    assert (tmp_path / STATE).exists()


@pytest.mark.parametrize("change", ["settings", "data"])
def test_a_state_of_something_else_is_not_resumed(
    change: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = Path(shutil.copytree(data, tmp_path / "data"))
    train(tiny(), other, tmp_path)
    if change == "data":
        os.utime(other / "slices/scan-0/axial.npy")
    train(tiny("dx2ct", {"prediction": "v" if change == "settings" else "x0"}), other, tmp_path)
    assert "training starts anew" in capsys.readouterr().out


def test_loss_falls_on_a_fixed_batch(data: Path, tmp_path: Path):
    settings = tiny(train={"steps": 40, "accumulate": 1, "learning_rate": 1e-3, "schedule": "cosine"})
    train(settings, data, tmp_path, ROWS[:1])
    losses = [float(line.split(",")[1]) for line in (tmp_path / LOG).read_text().splitlines()[1:]]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "settings",
    [tiny("mean"), tiny(), tiny("dx2ct", {"views": ["oblique"], "query_transformer": False, "prediction": "v"})],
    ids=["mean", "dx2ct", "oblique"],
)
def test_the_stages_write_volumes_that_lie_where_the_scan_lies(settings, data: Path, tmp_path: Path):
    """Files appear, volumes are HU, lie on the scan's place, and come out the same twice."""
    train(settings, data, tmp_path)
    reconstruct_scan("scan-3", tmp_path, OPTIONS, data, CPU)
    files = layout.reconstructions(tmp_path, "scan-3")
    truth = read_volume(layout.volume(data, "scan-3"))
    first = [read_volume(file) for file in files]
    for volume in first:
        assert volume.array.shape == (32, 32, 32) and volume.array.dtype == np.int16
        assert volume.array.min() >= -1024 and volume.array.max() <= 1476
        np.testing.assert_allclose(volume.centre_mm, truth.centre_mm, atol=1e-3)
        np.testing.assert_allclose(volume.spacing_mm, 10.0, rtol=1e-5)
    np.testing.assert_allclose(first[0].array, np.mean([v.array for v in first[1:]], axis=0), atol=1.0)
    reconstruct_scan("scan-3", tmp_path, OPTIONS, data, CPU)
    for file, volume in zip(files, first, strict=True):
        np.testing.assert_array_equal(read_volume(file).array, volume.array)


def test_several_samples_leave_their_deviation(data: Path, tmp_path: Path):
    random_run(tmp_path)
    reconstruct_scan("scan-3", tmp_path, options(samples=2, steps=1), data, CPU)
    deviation = read_volume(layout.deviation(tmp_path, "scan-3"))
    assert deviation.array.dtype == np.float32 and deviation.array.min() >= 0 and deviation.array.max() > 1
    assert deviation.origin_mm == read_volume(layout.reconstruction(tmp_path, "scan-3")).origin_mm


def test_a_network_that_diverged_is_refused_in_one_line(data: Path, tmp_path: Path):
    """Its weights are no numbers; nothing is written."""
    from safetensors.torch import save_file

    random_run(tmp_path)
    save_file({name: value * float("nan") for name, value in weights_of(tmp_path).items()}, layout.weights(tmp_path))
    with pytest.raises(InputError, match="scan-3: the axial volume is not finite: the training diverged"):
        reconstruct_scan("scan-3", tmp_path, OPTIONS, data, CPU)
    assert not (tmp_path / "volumes").exists() and not (tmp_path / "planes").exists()


def test_mean_is_the_mean(data: Path, tmp_path: Path):
    train(tiny("mean"), data, tmp_path)
    stacks = [np.load(layout.stack(data, row.scan, "axial")).astype(float) for row in ROWS[:3]]
    reconstruct_scan("scan-3", tmp_path, SamplingOptions(), data, CPU)
    found = read_volume(layout.reconstruction(tmp_path, "scan-3"))
    np.testing.assert_allclose(found.array, np.mean(stacks, 0), atol=0.51)


def test_no_training_scan_and_no_run_are_refused(data: Path, tmp_path: Path):
    for settings in (tiny(), tiny("mean")):
        with pytest.raises(InputError, match="no scan of split train"):
            train(settings, data, tmp_path, ROWS[3:])
    with pytest.raises(InputError, match=r"settings\.json: no trained run here"):
        reconstruct_scan("scan-3", tmp_path / "nothing", OPTIONS, data, CPU)


def test_batches_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match=r"methods\.dx2ct\.train\.batch: 5 is no multiple of slices_per_patient, 2"):
        tiny(train={"batch": 5})


def test_missing_or_broken_inputs_name_the_file(data: Path, tmp_path: Path):
    stack = layout.stack(tmp_path, "scan-0", PLANES[0])
    stack.parent.mkdir(parents=True)
    stack.write_bytes(b"no array")
    with pytest.raises(InputError, match=r"scan-0/axial\.npy: not a slice stack"):
        train(tiny("mean"), tmp_path, tmp_path)
    volume = tmp_path / "flat.mha"
    sitk.WriteImage(sitk.Image(8, 8, 4, sitk.sitkInt16), volume)
    with pytest.raises(InputError, match=r"flat\.mha: .* cannot be averaged to a cube of 16"):
        make_slices(volume, SlicesSettings(16), tmp_path)


def test_learning_rate_warms_up_and_falls():
    asked = {"learning_rate": 1e-3, "steps": 100, "warmup_steps": 10}
    rates = {
        schedule: [learning_rate(check(TrainSettings, **asked, schedule=schedule), step) for step in range(100)]
        for schedule in ("constant", "linear", "cosine")
    }
    for schedule, found in rates.items():
        assert found[0] == pytest.approx(1e-4, rel=0.01) and max(found) == pytest.approx(1e-3, rel=0.03), schedule
    assert rates["constant"][-1] == 1e-3
    assert rates["linear"][50] == 1e-3 and rates["linear"][75] == pytest.approx(5e-4)
    assert rates["cosine"][-1] < 1e-6 and rates["linear"][-1] < 3e-5
