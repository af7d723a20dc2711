"""Trainings that begin with other weights: what they begin with, what is refused, what they are resumed for."""

from pathlib import Path
import shutil
from typing import Any

import pytest
from safetensors.torch import save_file
import torch
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct import layout
from dx2ct.cli import app
from dx2ct.methods import method_named, methods
from dx2ct.methods.saved import read_run, to_text
from dx2ct.methods.start import start_folder
from dx2ct.methods.trained_on import read_trained_on, Stage, TrainedOn, with_metadata, write_trained_on
import dx2ct.training.loop
from dx2ct.training.state import Training
from tests.fabricate import cohort, random_run, rows, tiny, train, weights_of

LEARNED = [name for name, method in methods().items() if method.learns]
STAGE = Stage("own", "cohort.tsv", 6, 6, 150, "fold1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


def from_model(method: str = "lift", row: dict[str, Any] | None = None, **sections: Any) -> Any:
    """Settings of a training that starts from the run `model` beside it."""
    sections["train"] = {"start_from": "model"} | sections.get("train", {})
    return tiny(method, row, **sections)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNED)
def test_a_training_begins_with_the_weights_of_another(name: str, data: Path, tmp_path: Path) -> None:
    """Without steps they are what it ends with, whatever its seed; a step moves them from there."""
    source = weights_of(random_run(tmp_path / "model", tiny(name)))
    same = weights_of(train(from_model(name, train={"steps": 0, "seed": 5}), data, tmp_path / "same"))
    assert same.keys() == source.keys() and all(torch.equal(same[key], source[key]) for key in source)
    fine = weights_of(train(from_model(name, train={"steps": 1, "seed": 5}), data, tmp_path / "fine"))
    assert any(not torch.equal(fine[key], source[key]) for key in source)
    # One step of so small a rate leaves each close to where it was.
    near = from_model(name, train={"steps": 1, "learning_rate": 1e-9, "warmup_steps": 0, "ema_decay": 0.0})
    moved = weights_of(train(near, data, tmp_path / "near"))
    learns = [key for key in source if "running" not in key and source[key].is_floating_point()]
    assert all(torch.allclose(moved[key], source[key], atol=1e-6) for key in learns)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lift", "x2ctgan"])
def test_finished_weights_keep_a_share_of_those_they_began_with(name: str, data: Path, tmp_path: Path) -> None:
    source = weights_of(random_run(tmp_path / "model", tiny(name)))
    trained = {
        share: weights_of(train(from_model(name, train={"start_share": share}), data, tmp_path / f"share{share}"))
        for share in (0.0, 0.25, 1.0)
    }
    assert any(not torch.equal(trained[0.0][key], source[key]) for key in source)
    for key, value in trained[0.25].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * source[key] + 0.75 * trained[0.0][key])
            torch.testing.assert_close(trained[1.0][key], source[key])
        else:
            assert torch.equal(value, trained[0.0][key])


def test_a_share_of_nothing_is_one_line() -> None:
    with pytest.raises(InputError, match=r"train\.start_share: 0.3, but the training starts at random: say start_from"):
        tiny("lift", train={"start_share": 0.3})


@pytest.mark.slow
def test_the_mean_volume_of_lift_stays_that_of_its_source(data: Path, tmp_path: Path) -> None:
    source = weights_of(train(tiny("lift"), data, tmp_path / "model", rows()[:1]))
    fine = weights_of(train(from_model(), data, tmp_path / "fine", rows()[1:2]))
    own = weights_of(train(tiny("lift"), data, tmp_path / "own", rows()[1:2]))
    assert torch.equal(fine["mean"], source["mean"]) and not torch.equal(own["mean"], source["mean"])


@pytest.mark.slow
def test_an_interrupted_training_is_not_resumed_from_other_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random_run(tmp_path / "model", tiny("lift"))
    whole = weights_of(train(from_model(train={"steps": 3}), data, tmp_path / "whole"))
    monkeypatch.setattr(dx2ct.training.loop, "is_due", lambda waited_s, every_s: True)
    update = Training.update

    def dying(self: Training, *losses: Any) -> None:
        if self.step == 2:
            raise KeyboardInterrupt
        update(self, *losses)

    monkeypatch.setattr(Training, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(from_model(train={"steps": 3}), data, tmp_path / "cut")
    monkeypatch.setattr(Training, "update", update)
    shutil.copytree(tmp_path / "cut", tmp_path / "again")
    cut = weights_of(train(from_model(train={"steps": 3}), data, tmp_path / "cut"))
    assert "resumed at step 2" in capsys.readouterr().out
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    other = {
        name: value + 1 if name == "last.bias" else value for name, value in weights_of(tmp_path / "model").items()
    }
    save_file(other, layout.weights(tmp_path / "model"))
    train(from_model(train={"steps": 3}), data, tmp_path / "again")
    assert "written for other settings or scans (start), training starts anew" in capsys.readouterr().out


@pytest.mark.slow
def test_imagenet_s_weights_are_not_asked_for_where_others_are(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_run(tmp_path / "model", tiny("perx2ct"))
    implementation: Any = method_named("perx2ct").implement()
    monkeypatch.setattr(type(implementation), "start", None)  # a call would fail
    train(from_model("perx2ct", train={"steps": 0}), data, tmp_path / "fine")


def refused(data: Path, output: Path, settings: Any) -> str:
    with pytest.raises(InputError) as error:
        train(settings, data, output)
    assert "\n" not in str(error.value) and not layout.weights(output).exists()
    return str(error.value)


def test_weights_that_do_not_fit_are_one_line(data: Path, tmp_path: Path) -> None:
    model, fine = tmp_path / "model", tmp_path / "fine"
    assert refused(data, fine, from_model()).startswith(f"{model}/settings.json: no trained run here")
    random_run(model, tiny("lift"))
    settings = f"{model}/settings.json, which it starts from"
    widths = from_model(model={"widths": [8, 8, 8, 16]})
    assert refused(data, fine, widths) == f"model.widths: [8, 8, 8, 16], but [8, 8, 8, 8] in {settings}"
    grid = from_model(slices={"size": 16})
    assert refused(data, fine, grid) == f"slices.size: 16, but 32 in {settings}"
    layout.settings(model).write_text(to_text(tiny("cnn2d")))
    assert refused(data, fine, from_model()) == f"run.method: lift, but cnn2d in {settings}"


def test_weights_that_are_not_of_their_own_settings_are_told_by_name_and_shape(data: Path, tmp_path: Path) -> None:
    model = random_run(tmp_path / "model", tiny("lift"))
    weights = dict(weights_of(model))
    file = f"{model}/weights.safetensors"
    save_file(weights | {"last.bias": torch.zeros(2)}, layout.weights(model))
    assert refused(data, tmp_path / "fine", from_model()) == (
        f"{file}: last.bias is (2,), in this network (1,): not its weights"
    )
    del weights["last.bias"]
    save_file(weights, layout.weights(model))
    assert refused(data, tmp_path / "fine", from_model()) == (
        f"{file}: last.bias is missing, in this network (1,): not its weights"
    )
    layout.weights(model).write_bytes(b"damaged")
    assert "weights.safetensors: damaged weights" in refused(data, tmp_path / "fine", from_model())


def test_where_a_source_lies(tmp_path: Path) -> None:
    assert start_folder(tiny("lift"), tmp_path / "fine") is None and start_folder(tiny("mean"), tmp_path) is None
    assert start_folder(from_model(), tmp_path / "fine") == tmp_path / "model"
    assert start_folder(from_model(train={"start_from": "./there"}), tmp_path / "fine") == Path("there")
    assert start_folder(from_model(), tmp_path / "fine", Path("elsewhere")) == Path("elsewhere")
    with pytest.raises(
        InputError, match=r"--start-from x: the settings say nothing of train\.start_from: leave it out"
    ):
        start_folder(tiny("lift"), tmp_path, Path("x"))


# ---- what weights say they were trained on


def test_it_is_kept_in_the_file_and_changes_no_value(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", tiny("lift"))
    before = weights_of(run)
    assert read_trained_on(run) is None, "of an earlier version"
    both = TrainedOn((Stage("phantom", "phantom.tsv", 200, 200, 450), STAGE))
    for _ in range(2):
        write_trained_on(run, both)
        assert read_trained_on(run) == both
    after = weights_of(run)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    content = layout.weights(run).read_bytes()
    assert int.from_bytes(content[:8], "little") % 8 == 0 and with_metadata(content, {}) == content
    assert both.words == "trained on 200 procedural phantoms of phantom.tsv, then on 6 CTs of cohort.tsv (fold fold1)"


def command(settings: Any, data: Path, output: Path, *options: str) -> None:
    """`dx2ct train` in this process."""
    words = ["train", "--settings", to_text(settings), "--sheet", str(data / "sheet.tsv"), "--data", str(data)]
    done = CliRunner().invoke(app, [*words, "-o", str(output), "--device", "cpu", "--threads", "1", *options])
    assert done.exit_code == 0, done.output or done.exception


@pytest.mark.slow
def test_a_command_says_what_came_before(data: Path, tmp_path: Path) -> None:
    command(tiny("lift", train={"steps": 1}), data, tmp_path / "model")
    first = Stage("own", "sheet.tsv", 3, 3, 1)
    assert read_trained_on(tmp_path / "model") == TrainedOn((first,))
    command(from_model(train={"steps": 2}), data, tmp_path / "fine", "--leave-out", "scan-0")
    assert read_trained_on(tmp_path / "fine") == TrainedOn((first, Stage("own", "sheet.tsv", 2, 2, 2)))
    card = layout.model_card(tmp_path / "fine").read_text()
    assert "1. 3 CTs of sheet.tsv, 1 step\n2. 2 CTs of sheet.tsv, 2 steps\n" in card
    command(from_model(train={"steps": 0}), data, tmp_path / "zero", "--start-from", str(tmp_path / "fine"))
    assert read_trained_on(tmp_path / "zero") == read_trained_on(tmp_path / "fine")
    card = layout.model_card(tmp_path / "zero").read_text()
    assert "No scan of sheet.tsv was trained on" in card and "to train on" not in card
    random_run(tmp_path / "model", tiny("lift"))
    command(from_model(train={"steps": 2}), data, tmp_path / "fine")
    known = read_trained_on(tmp_path / "fine")
    assert known and known.words == "trained on what the weights of model do not say, then on 3 CTs of sheet.tsv"
    assert read_run(tmp_path / "fine")[1] == from_model(train={"steps": 2})
