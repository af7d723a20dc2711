"""The training engine: processes, parts, precision, states, validation, and what it prints."""

from collections.abc import Iterator, Mapping
from pathlib import Path
import random
import signal
import time
from typing import Any
import zipfile

import numpy as np
import pytest
import torch

from drr.errors import InputError
from dx2ct.config import EngineSettings
from dx2ct.methods.dx2ct import method as dx2ct_method
from dx2ct.methods.dx2ct.batches import TrainingData
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.validation import ValidationSet
from dx2ct.training.batches import Batches
import dx2ct.training.loop
from dx2ct.training.resume import OLDER, STATE
from dx2ct.training.state import Training
from dx2ct.training.validation import Validation
from tests.fabricate import cohort, log_of, rows, start, tiny, train, weights_of, write_scan
from tests.fabricate.scans import noise

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
SPLITS = {"scan-0": "train", "scan-1": "train", "scan-2": "val"}
ROWS = rows(SPLITS)
TRAIN = {
    "steps": 6,
    "accumulate": 1,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_steps": 2,
    "validation": {"split": "val", "slices": 6, "steps": 2},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"), SPLITS)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The number of threads decides the last bits of a sum."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings(validation: Mapping[str, Any] | None = None, **changes: Any) -> Any:
    """Settings of a tiny DX2CT with some keys of `train` and `train.validation` changed."""
    watching = TRAIN["validation"] | dict(validation or {})
    return tiny(train=TRAIN | changes | {"validation": watching})


def losses(run: Path) -> list[float]:
    return [float(row["loss"]) for row in log_of(run)]


def assert_same_weights(one: Path, other: Path) -> None:
    a, b = (weights_of(run) for run in (one, other))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trained(asked: Any, data: Path, output: Path, engine: EngineSettings | None = None) -> Path:
    return train(asked, data, output, ROWS, engine)


def test_two_processes_are_one_with_the_doubled_batch(data: Path, tmp_path: Path):
    """Each has half of the batch: the loss curve is the same to 1e-5, and only one of them writes."""
    text = settings()
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "dx2ct")
    process = start(text, data, tmp_path / "two", *torchrun)
    one = losses(trained(text, data, tmp_path / "one"))
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert one[0] != one[-1] and len(one) == 6
    assert losses(tmp_path / "two") == pytest.approx(one, abs=1e-5)
    written = {p.name for p in (tmp_path / "two").iterdir()}
    assert written == {p.name for p in (tmp_path / "one").iterdir()} | {"model_card.md"}, "the command adds the card"


def test_a_batch_in_parts_is_the_batch(data: Path, tmp_path: Path):
    whole, parts = (trained(settings(steps=4, accumulate=n), data, tmp_path / str(n)) for n in (1, 2))
    assert losses(parts) == pytest.approx(losses(whole), abs=1e-5)
    norms = [[float(row["gradient_norm"]) for row in log_of(run)] for run in (whole, parts)]
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)


def test_parts_of_a_step_are_the_whole(data: Path):
    examples = TrainingData(settings(batch=8), ["scan-0", "scan-1"], data, CPU)
    whole = examples.batch(3)
    parts = [examples.batch(3, part, 4) for part in range(4)]
    for name in ("xrays", "coordinates", "slices", "noise", "t"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert not torch.equal(examples.batch(4).noise, whole.noise)
    with pytest.raises(InputError, match=r"3 process\(es\) x accumulate 1 cannot share"):
        Batches(examples, CPU, 0, 3)


def test_killed_at_any_step_and_resumed_is_undisturbed(data: Path, tmp_path: Path):
    """SIGKILL in a process of its own, states written as often as possible: the same weights, bit for bit."""
    text = settings({"every": 5, "slices": 2, "steps": 1, "keep": "best"}, steps=20)
    script = (
        "import dx2ct.training.loop; dx2ct.training.loop.is_due = lambda *_: True; from dx2ct.cli import main; main()"
    )
    process = start(text, data, tmp_path / "cut", "-c", script)
    state = tmp_path / "cut" / STATE
    while not state.exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(random.uniform(0.0, 0.7))  # not seeded: a different step every time is the test
    process.send_signal(signal.SIGKILL)
    printed, _ = process.communicate()
    # Between its two renames a process leaves the older state alone.
    left = state if state.exists() else state.with_name(OLDER)
    killed = torch.load(left, weights_only=True)["step"]
    assert 0 < killed < 20 and process.returncode == -signal.SIGKILL, printed
    trained(text, data, tmp_path / "whole")
    trained(text, data, tmp_path / "cut")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
    names = ("step", "loss", "learning_rate", "gradient_norm", "validation_psnr_db")
    logs = [[[row[name] for name in names] for row in log_of(tmp_path / run)] for run in ("whole", "cut")]
    assert logs[0] == logs[1], f"killed at step {killed}"
    assert not list((tmp_path / "cut").glob(".resume*"))


@pytest.mark.parametrize("damage", ["cut short", "one byte", "missing"])
def test_a_damaged_state_falls_back_to_the_older(damage: str, data: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(dx2ct.training.loop, "is_due", lambda waited_s, every_s: True)
    trained(settings(), data, tmp_path / "run")
    trained(settings(), data, tmp_path / "whole")
    state = tmp_path / "run" / STATE
    content = bytearray(state.read_bytes())
    if damage == "cut short":
        state.write_bytes(content[: len(content) // 2])
    elif damage == "one byte":  # inside the tensors, where only a checksum sees it
        with zipfile.ZipFile(state) as parts:
            largest = max(parts.infolist(), key=lambda part: part.file_size)
        content[content.index(largest.filename.encode()) + len(largest.filename) + largest.file_size // 2] ^= 1
        state.write_bytes(content)
    else:  # killed between the two renames
        state.unlink()
    capsys.readouterr()
    trained(settings(), data, tmp_path / "run")
    printed = capsys.readouterr().out
    assert (f"{STATE}: damaged" in printed) == (damage != "missing")
    assert f"{OLDER}: resumed at step 5" in printed
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_two_damaged_states_are_told_and_training_starts_anew(data: Path, tmp_path: Path, capsys):
    for name in (STATE, OLDER):
        (tmp_path / name).write_bytes(b"no state")
    trained(settings(), data, tmp_path)
    printed = capsys.readouterr().out
    assert printed.count(": damaged (") == 2 and "training starts anew" in printed


def test_a_state_of_other_settings_names_them(data: Path, tmp_path: Path, capsys):
    trained(settings(), data, tmp_path)
    trained(settings(learning_rate=2e-3, steps=4), data, tmp_path)
    assert "other settings or scans (train.learning_rate, train.steps), training starts anew" in capsys.readouterr().out


@pytest.mark.parametrize("poisoned", ["loss", "gradient"])
def test_a_loss_that_is_no_number_keeps_the_last_good_state(poisoned: str, data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(dx2ct.training.loop, "is_due", lambda waited_s, every_s: True)
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
        trained(settings(), data, tmp_path)
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["step"] == 4 and all(torch.isfinite(value).all() for value in state["model"].values())
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_diverging_training_is_one_line_and_an_exit_code(data: Path, tmp_path: Path):
    process = start(settings(learning_rate=1e30, clip_norm=0, schedule="constant", warmup_steps=0), data, tmp_path)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert printed.startswith("error: the loss is ") and printed.count("\n") == 1


def test_missing_views_and_scans_name_the_file(data: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"scan-9/axial\.npy"):
        train(settings(), data, tmp_path, rows({"scan-9": "train"}))
    write_scan(tmp_path, "scan-0", noise(0))
    (tmp_path / "xrays/scan-0/lateral.mha").unlink()
    with pytest.raises(InputError, match=r"scan-0/lateral\.mha: not a readable X-ray"):
        train(settings(), tmp_path, tmp_path, ROWS[:1])


def test_validation_changes_nothing_but_the_log(data: Path, tmp_path: Path):
    plain = trained(settings(), data, tmp_path / "plain")
    validated = trained(settings({"every": 4}), data, tmp_path / "validated")
    assert_same_weights(plain, validated)
    assert losses(plain) == losses(validated)
    steps = [row["step"] for row in log_of(validated) if row["validation_psnr_db"]]
    assert steps == ["4", "6"], "every 4 steps and at the end"


def test_validation_psnr_is_that_of_the_slices(data: Path):
    """A network that gives the middle of the window everywhere: the PSNR of that constant, by its definition."""
    asked = settings({"every": 1, "slices": 7})
    chosen = ValidationSet(asked, ["scan-2", "scan-0"], data, CPU)
    truth = torch.cat([example.truth for example in chosen.examples]).numpy()
    assert truth.shape == (7, 1, 32, 32) and len(chosen.examples) == 2
    hu = (truth.astype(np.float64) + 1) * 1250 - 1024
    expected = 10 * np.log10(2500**2 / np.mean((hu - (1250 - 1024)) ** 2))
    model = DX2CT(asked)
    model.unet.forward = lambda x, t, modulation: torch.zeros_like(x)  # type: ignore[method-assign]
    found = chosen.validate(model)
    assert found.psnr_db == pytest.approx(expected, abs=1e-4)
    assert found.picture.shape == (64, 7 * 32) and (found.picture[32:] == 0).all() and found.picture[:32].any()


def test_the_best_weights_are_kept_and_waiting_ends(data: Path, tmp_path: Path, monkeypatch, capsys):
    """PSNRs 10, 12, 11, 11: with patience 2 the training ends after the fourth, with the second's weights."""
    averages = []

    def validate(validation_set, model, autocast):
        averages.append({name: value.clone() for name, value in model.state_dict().items()})
        return Validation([10.0, 12.0, 11.0, 11.0][len(averages) - 1], np.zeros((2, 2), np.float32))

    monkeypatch.setattr(dx2ct_method, "_validate", validate)
    text = settings({"every": 2, "patience": 2, "keep": "best"}, steps=20)
    trained(text, data, tmp_path)
    assert "stopped at step 8: no better validation since step 4" in capsys.readouterr().out
    weights = weights_of(tmp_path)
    assert all(torch.equal(weights[name], averages[1][name]) for name in weights)
    assert not all(torch.equal(weights[name], averages[3][name]) for name in weights)
    trained(text, data, tmp_path)  # the same command again does nothing
    assert len(averages) == 4


@pytest.mark.parametrize("validation", [{"keep": "best"}, {"patience": 3}], ids=str)
def test_the_best_of_no_validation_is_refused(validation: dict[str, Any]):
    with pytest.raises(InputError, match=r"methods\.dx2ct\.train\.validation\.every: 0, but .* set it to more than 0"):
        settings(validation)


def test_a_cohort_that_does_not_fit_the_settings_is_refused(data: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"train\.validation\.every is 2, but the cohort has no scan of split val"):
        train(settings({"every": 2}), data, tmp_path, ROWS[:2])
    with pytest.raises(InputError, match=r"batch 4 is 2 groups .* 1 process\(es\) x accumulate 3"):
        trained(settings(accumulate=3), data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_bf16_and_channels_last_follow_float32(data: Path, tmp_path: Path):
    """The same loss curve to a few percent; weights and states stay float32."""
    plain = losses(trained(settings(), data, tmp_path / "plain"))
    last = EngineSettings(memory_format="channels_last")
    assert losses(trained(settings(), data, tmp_path / "last", last)) == pytest.approx(plain, abs=1e-4)
    half = losses(trained(settings(precision="bf16"), data, tmp_path / "half", last))
    assert half == pytest.approx(plain, rel=0.05) and half != plain
    assert {value.dtype for value in weights_of(tmp_path / "half").values()} == {torch.float32}


def test_cuda_graphs_are_refused_on_a_cpu(data: Path, tmp_path: Path):
    graphs = EngineSettings(compile="cuda_graphs")
    with pytest.raises(InputError, match=r"cuda_graphs is for one GPU and .* not for cpu, 1 .* 1: use auto"):
        trained(settings(), data, tmp_path, graphs)


def test_the_board_has_curves_and_pictures_and_is_imported_only_when_on(data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)  # as if it were not installed
    trained(settings(), data, tmp_path / "off")
    board = EngineSettings(tensorboard=True)
    with pytest.raises(InputError, match="pip install tensorboard"):
        trained(settings(), data, tmp_path / "off", board)
    monkeypatch.undo()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = trained(settings({"every": 3, "slices": 4}), data, tmp_path / "on", board)
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    names = {"loss", "learning_rate", "gradient_norm", "validation_psnr_db", "slices_per_s", "seconds"}
    assert set(events.Tags()["scalars"]) == names
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses(run), rel=1e-6)
    pictures = events.Images("truth above reconstruction")
    assert [picture.step for picture in pictures] == [3, 6] and (pictures[0].width, pictures[0].height) == (128, 64)
