"""The training engine: processes, parts, precision, states, validation, and what it says."""

from collections.abc import Iterator
import json
from pathlib import Path
import random
import signal
import time
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
import torch

from drr.errors import InputError
from dx2ct.config import Dx2ctSettings, EngineSettings, parse, PLAIN_ENGINE
from dx2ct.data.cohort.sheet import Row
from dx2ct.methods.dx2ct import method as dx2ct_method
from dx2ct.training.batches import Batches, TrainingData
import dx2ct.training.loop
from dx2ct.training.resume import OLDER, STATE
from dx2ct.training.state import Training
from tests.dx2ct.fabricated import log_of, start, write_scans, write_sheet
from tests.dx2ct.settings_for_tests import tiny

CPU = torch.device("cpu")
SPLITS = {"scan-0": "train", "scan-1": "train", "scan-2": "val"}
ROWS = [Row(scan, scan, "", "", split) for scan, split in SPLITS.items()]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_scans(folder, list(SPLITS))
    write_sheet(folder, SPLITS)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The number of threads decides the last bits of a sum."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings(validation: dict[str, Any] | None = None, **train: Any) -> str:
    """Settings of a tiny run with some keys of `train` and `train.validation` changed."""
    whole = json.loads(tiny())
    whole["train"] |= train
    whole["train"]["validation"] |= validation or {}
    return json.dumps(whole)


def losses(run: Path) -> list[float]:
    return [float(row["loss"]) for row in log_of(run)]


def assert_same_weights(one: Path, other: Path) -> None:
    a, b = (load_file(run / "weights.safetensors") for run in (one, other))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def train(text: str, data: Path, output: Path, engine: EngineSettings = PLAIN_ENGINE) -> Path:
    dx2ct_method.train(text, ROWS, data, output, CPU, engine)
    return output


def test_two_processes_are_one_with_the_doubled_batch(data: Path, tmp_path: Path):
    """Each has half of the batch: the loss curve is the same to 1e-5, and only one of them writes."""
    text = settings()
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "dx2ct")
    process = start(text, data, tmp_path / "two", *torchrun)
    one = losses(train(text, data, tmp_path / "one"))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert one[0] != one[-1] and len(one) == 6
    assert losses(tmp_path / "two") == pytest.approx(one, abs=1e-5)
    written = {p.name for p in (tmp_path / "two").iterdir()}
    assert written == {p.name for p in (tmp_path / "one").iterdir()} | {"model_card.md"}, "the command adds the card"


def test_a_batch_in_parts_is_the_batch(data: Path, tmp_path: Path):
    whole, parts = (train(settings(steps=4, accumulate=n), data, tmp_path / str(n)) for n in (1, 2))
    assert losses(parts) == pytest.approx(losses(whole), abs=1e-5)
    norms = [[float(row["gradient_norm"]) for row in log_of(run)] for run in (whole, parts)]
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)


def test_parts_of_a_step_are_the_whole(data: Path):
    examples = TrainingData(parse(Dx2ctSettings, settings(batch=8)), ["scan-0", "scan-1"], data)
    whole = examples.batch(3)
    parts = [examples.batch(3, part, 4) for part in range(4)]
    for name in ("xrays", "coordinates", "slices", "noise", "t"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert not torch.equal(examples.batch(4).noise, whole.noise)
    with pytest.raises(InputError, match=r"3 process\(es\) x accumulate 1 can not share"):
        Batches(examples, CPU, 0, 3)


def test_killed_at_any_step_and_resumed_is_undisturbed(data: Path, tmp_path: Path):
    """SIGKILL in a process of its own, states written as often as possible: the same weights, bit for bit."""
    text = settings({"every": 5, "slices": 2, "steps": 1, "keep": "best"}, steps=20)
    script = "import dx2ct.training.loop; dx2ct.training.loop.SAVE_EVERY_S = 0; from dx2ct.cli import main; main()"
    process = start(text, data, tmp_path / "cut", "-c", script)
    state = tmp_path / "cut" / STATE
    while not state.exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(random.uniform(0.0, 0.7))  # not seeded: a different step every time is the test
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate()
    killed = torch.load(state, weights_only=True)["step"]
    assert 0 < killed < 20 and process.returncode == -signal.SIGKILL, said
    train(text, data, tmp_path / "whole")
    train(text, data, tmp_path / "cut")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
    names = ("step", "loss", "learning_rate", "gradient_norm", "validation_psnr_db")
    logs = [[[row[name] for name in names] for row in log_of(tmp_path / run)] for run in ("whole", "cut")]
    assert logs[0] == logs[1], f"killed at step {killed}"
    assert not list((tmp_path / "cut").glob(".resume*"))


@pytest.mark.parametrize("damage", ["cut short", "one byte", "missing"])
def test_a_damaged_state_falls_back_to_the_older(damage: str, data: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(dx2ct.training.loop, "SAVE_EVERY_S", 0.0)
    train(settings(), data, tmp_path / "run")
    train(settings(), data, tmp_path / "whole")
    state = tmp_path / "run" / STATE
    content = bytearray(state.read_bytes())
    if damage == "cut short":
        state.write_bytes(content[: len(content) // 2])
    elif damage == "one byte":  # inside the tensors, where only a checksum sees it
        content[len(content) // 2] ^= 1
        state.write_bytes(content)
    else:  # killed between the two renames
        state.unlink()
    capsys.readouterr()
    train(settings(), data, tmp_path / "run")
    said = capsys.readouterr().out
    assert (f"{STATE}: damaged" in said) == (damage != "missing")
    assert f"{OLDER}: resumed at step 5" in said
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_two_damaged_states_are_said_and_training_starts_anew(data: Path, tmp_path: Path, capsys):
    for name in (STATE, OLDER):
        (tmp_path / name).write_bytes(b"no state")
    train(settings(), data, tmp_path)
    said = capsys.readouterr().out
    assert said.count(": damaged (") == 2 and "training starts anew" in said


def test_a_state_of_other_settings_names_them(data: Path, tmp_path: Path, capsys):
    train(settings(), data, tmp_path)
    train(settings(learning_rate=2e-3, steps=4), data, tmp_path)
    assert "other settings or scans (train.learning_rate, train.steps), training starts anew" in capsys.readouterr().out


@pytest.mark.parametrize("poisoned", ["loss", "gradient"])
def test_a_loss_that_is_no_number_keeps_the_last_good_state(poisoned: str, data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(dx2ct.training.loop, "SAVE_EVERY_S", 0.0)
    update = Training.update

    def diverging(self, parts):
        def broken(loss):
            if poisoned == "loss":
                return loss * float("nan")
            loss.register_hook(lambda gradient: gradient * float("inf"))
            return loss

        update(self, (broken(loss) if self.step == 4 else loss for loss in parts))

    monkeypatch.setattr(Training, "update", diverging)
    with pytest.raises(InputError, match=r"at step 5: lower train\.learning_rate"):
        train(settings(), data, tmp_path)
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["step"] == 4 and all(torch.isfinite(value).all() for value in state["model"].values())
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_diverging_training_is_one_line_and_an_exit_code(data: Path, tmp_path: Path):
    process = start(settings(learning_rate=1e30, clip_norm=0, schedule="constant", warmup_steps=0), data, tmp_path)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert said.startswith("error: the loss is ") and said.count("\n") == 1


def test_missing_views_and_scans_name_the_file(data: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"scan-9/axial\.npy"):
        dx2ct_method.train(settings(), [Row("scan-9", "p", "", "", "train")], data, tmp_path, CPU)
    write_scans(tmp_path, ["scan-0"])
    (tmp_path / "xrays/scan-0/lateral.mha").unlink()
    with pytest.raises(InputError, match=r"scan-0/lateral\.mha: not a readable X-ray"):
        dx2ct_method.train(settings(), ROWS[:1], tmp_path, tmp_path, CPU)


def test_validation_changes_nothing_but_the_log(data: Path, tmp_path: Path):
    plain = train(settings(), data, tmp_path / "plain")
    watched = train(settings({"every": 4}), data, tmp_path / "watched")
    assert_same_weights(plain, watched)
    assert losses(plain) == losses(watched)
    said = [row["step"] for row in log_of(watched) if row["validation_psnr_db"]]
    assert said == ["4", "6"], "every 4 steps and at the end"


def test_validation_psnr_is_that_of_the_slices(data: Path, tmp_path: Path, monkeypatch):
    """A network that says the mean of the window everywhere: the PSNR of that constant, by its definition."""
    monkeypatch.setattr(dx2ct_method.DX2CT, "denoise", lambda self, x, t, maps: torch.zeros_like(x))
    text = settings({"every": 1, "slices": 7})
    watched = dx2ct_method.ValidationSet(parse(Dx2ctSettings, text), ["scan-2", "scan-0"], data, CPU)
    truth = torch.cat([example.truth for example in watched.examples]).numpy()
    assert truth.shape == (7, 1, 32, 32) and len(watched.examples) == 2
    hu = (truth.astype(np.float64) + 1) * 1250 - 1024
    expected = 10 * np.log10(2500**2 / np.mean((hu - (1250 - 1024)) ** 2))
    found = watched.validate(dx2ct_method.DX2CT(parse(Dx2ctSettings, text)))
    assert found.psnr_db == pytest.approx(expected, abs=1e-4)
    assert found.picture.shape == (64, 7 * 32) and (found.picture[32:] == 0).all() and found.picture[:32].any()


def test_the_best_weights_are_kept_and_waiting_ends(data: Path, tmp_path: Path, monkeypatch, capsys):
    """PSNRs 10, 12, 11, 11: with patience 2 the training ends after the fourth, with the second's weights."""
    averages = []

    def validate(watched, model, autocast):
        averages.append({name: value.clone() for name, value in model.state_dict().items()})
        return dx2ct_method.Validation([10.0, 12.0, 11.0, 11.0][len(averages) - 1], np.zeros((2, 2), np.float32))

    monkeypatch.setattr(dx2ct_method, "_validate", validate)
    text = settings({"every": 2, "patience": 2, "keep": "best"}, steps=20)
    train(text, data, tmp_path)
    assert "stopped at step 8: no better validation since step 4" in capsys.readouterr().out
    weights = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(weights[name], averages[1][name]) for name in weights)
    assert not all(torch.equal(weights[name], averages[3][name]) for name in weights)
    train(text, data, tmp_path)  # the same command again does nothing
    assert len(averages) == 4


@pytest.mark.parametrize(
    ("text", "rows", "message"),
    [
        (settings({"every": 2}), ROWS[:2], "the cohort has no scan of split val"),
        (settings({"keep": "best"}), ROWS, "set every to more than 0"),
        (settings({"patience": 3}), ROWS, "set every to more than 0"),
        (settings(accumulate=3), ROWS, r"batch 4 is 2 groups .* 1 process\(es\) x accumulate 3"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(text, rows, message, data: Path, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        dx2ct_method.train(text, rows, data, tmp_path, CPU)
    assert not list(tmp_path.iterdir())


def test_bf16_and_channels_last_follow_float32(data: Path, tmp_path: Path):
    """The same loss curve to a few percent; weights and states stay float32."""
    plain = losses(train(settings(), data, tmp_path / "plain"))
    last = EngineSettings(compile=False, memory_format="channels_last", tensorboard=False)
    assert losses(train(settings(), data, tmp_path / "last", last)) == pytest.approx(plain, abs=1e-4)
    half = losses(train(settings(precision="bf16"), data, tmp_path / "half", last))
    assert half == pytest.approx(plain, rel=0.05) and half != plain
    assert {value.dtype for value in load_file(tmp_path / "half/weights.safetensors").values()} == {torch.float32}


def test_cuda_graphs_are_refused_on_a_cpu(data: Path, tmp_path: Path):
    graphs = EngineSettings(compile="cuda_graphs", memory_format="auto", tensorboard=False)
    with pytest.raises(InputError, match="cuda_graphs needs a GPU"):
        train(settings(), data, tmp_path, graphs)


def test_the_board_has_curves_and_pictures_and_is_imported_only_when_on(data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)  # as if it were not installed
    train(settings(), data, tmp_path / "off")
    board = EngineSettings(compile=False, memory_format="auto", tensorboard=True)
    with pytest.raises(InputError, match="pip install tensorboard"):
        train(settings(), data, tmp_path / "off", board)
    monkeypatch.undo()
    torch.set_num_threads(1)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(settings({"every": 3, "slices": 4}), data, tmp_path / "on", board)
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    names = {"loss", "learning_rate", "gradient_norm", "validation_psnr_db", "slices_per_s", "seconds"}
    assert set(events.Tags()["scalars"]) == names
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses(run), rel=1e-6)
    pictures = events.Images("truth above reconstruction")
    assert [picture.step for picture in pictures] == [3, 6] and (pictures[0].width, pictures[0].height) == (128, 64)
