"""What becomes of a training that is killed, asked to end, started twice or outlived: a table, by real processes."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal
import subprocess
import time
from typing import Any

import pytest
import torch

from drr.errors import InputError
from dx2ct import layout
from dx2ct.methods.saved import write_run
from dx2ct.training.owner import owning, require_owner, TOKEN
from dx2ct.training.resume import save_state, STATE
from dx2ct.training.stop import asked_to_stop, stopping_gently
from tests.fabricate import cohort, start, tiny, weights_of

STEPS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as nobody disturbs it."""
    output = tmp_path_factory.mktemp("whole")
    assert ended(start(settings(), data, output))[0] == 0
    return output


def settings(**train: Any) -> Any:
    return tiny(train={"steps": STEPS, "learning_rate": 1e-3} | train)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and everything that it printed."""
    printed, _ = process.communicate(timeout=120)
    assert "Traceback" not in printed, printed
    return process.returncode, printed


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Children inherit what is ignored: a shell that runs the tests in the background ignores SIGINT."""
    ignored = [n for n in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM) if signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def under_way(data: Path, output: Path, **train: Any) -> "subprocess.Popen[str]":
    """A training that has saved its first state, and saves after every step."""
    process = start(settings(**train), data, output, save_every_s=0)
    while not (output / STATE).exists() and process.poll() is None:
        time.sleep(0.01)
    return process


def step_of(output: Path) -> int:
    step: int = torch.load(output / STATE, weights_only=True)["step"]
    return step


def assert_same(output: Path, whole: Path) -> None:
    found, expected = weights_of(output), weights_of(whole)
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)
    assert layout.settings(output).read_text() == layout.settings(whole).read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 1, "ended by SIGTERM after step"),
        (signal.SIGHUP, 1, "ended by SIGHUP after step"),
        (signal.SIGINT, 1, "ended by SIGINT after step"),
    ],
)
def test_a_signal_ends_a_training_and_the_same_command_goes_on(
    number: signal.Signals, code: int, said: str, data: Path, whole: Path, tmp_path: Path
) -> None:
    """As SLURM ends and requeues a job: SIGTERM, then the same command; the weights are those of an undisturbed run."""
    process = under_way(data, tmp_path)
    process.send_signal(number)
    found, printed = ended(process)
    assert found == code, printed
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    step = step_of(tmp_path)
    assert len(errors) == bool(said) and 0 < step < STEPS, printed
    assert not said or f"{said} {step}, the state is saved" in errors[0]
    assert (tmp_path / TOKEN).exists() == (number == signal.SIGKILL)
    assert not layout.weights(tmp_path).exists()
    found, printed = ended(start(settings(), data, tmp_path))
    assert found == 0 and f"resumed at step {step}" in printed
    assert_same(tmp_path, whole)
    assert not list(tmp_path.glob(".*")), "neither a token nor a part is left"


@pytest.mark.slow
def test_nohup_holds(data: Path, whole: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a child inherits it
    try:
        process = under_way(data, tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    assert ended(process)[0] == 0
    assert_same(tmp_path, whole)


@pytest.mark.slow
def test_of_two_trainings_at_once_the_newer_stays(data: Path, whole: Path, tmp_path: Path) -> None:
    older = under_way(data, tmp_path, steps=10_000)
    code, printed = ended(start(settings(), data, tmp_path))
    assert code == 0, printed
    code, printed = ended(older)
    assert code == 1 and printed.count("error: ") == 1 and "a newer training has taken this run over" in printed
    assert_same(tmp_path, whole)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("left", [1, STEPS], ids=["before a state", "before the end"])
def test_an_orphan_ends_itself_when_it_wakes_after_the_newer_has_finished(
    left: int, data: Path, whole: Path, tmp_path: Path
) -> None:
    """kill -9 of the workflow, other settings, run again: the weights of the older settings must not come back."""
    orphan = start(settings(learning_rate=5e-3, steps=STEPS + 1), data, tmp_path, save_every_s=0 if left == 1 else 1e6)
    while not (tmp_path / (STATE if left == 1 else TOKEN)).exists():
        time.sleep(0.01)
    orphan.send_signal(signal.SIGSTOP)
    assert ended(start(settings(), data, tmp_path))[0] == 0
    log = layout.training_log(tmp_path).name
    kept = {  # but parts: the orphan may be stopped while it writes one, which it takes away when it wakes
        path.name: path.read_bytes() for path in tmp_path.glob("[!.]*") if path.name != log
    }
    orphan.send_signal(signal.SIGCONT)
    code, printed = ended(orphan)
    assert code == 1 and "a newer training has taken this run over" in printed
    assert_same(tmp_path, whole)
    assert kept == {name: (tmp_path / name).read_bytes() for name in kept}
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def taken_over(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process has owned, until another one came."""
    with pytest.raises(InputError, match="a newer training has taken this run over"), owning(tmp_path):
        (tmp_path / TOKEN).write_text(json.dumps({"token": "other", "machine": "m", "process": 1, "started": "now"}))
        yield tmp_path
    assert json.loads((tmp_path / TOKEN).read_text())["token"] == "other", "it is the other's, and stays"


def test_neither_states_nor_weights_are_written_by_who_is_no_longer_the_owner(taken_over: Path) -> None:
    with pytest.raises(InputError, match="process 1 on m, started now"):
        write_run(b"weights", tiny("mean"), taken_over)
    with pytest.raises(InputError, match="taken this run over"):
        save_state({"step": 1}, taken_over)
    assert [path.name for path in taken_over.iterdir()] == [TOKEN]


def test_a_state_of_the_owner_moves_the_one_before_it_aside_and_of_another_does_not(tmp_path: Path) -> None:
    with owning(tmp_path):
        save_state({"step": 1}, tmp_path)
        save_state({"step": 2}, tmp_path)
        assert [torch.load(path)["step"] for path in layout.states(tmp_path)] == [2, 1]
        token = (tmp_path / TOKEN).read_bytes()
        (tmp_path / TOKEN).write_text("{}")
        with pytest.raises(InputError):
            save_state({"step": 3}, tmp_path)
        assert [torch.load(path)["step"] for path in layout.states(tmp_path)] == [2, 1]
        (tmp_path / TOKEN).write_bytes(token)
    assert not (tmp_path / TOKEN).exists()
    require_owner(tmp_path)  # nobody's: nothing to refuse


@pytest.mark.parametrize("token", ["", "{", "[1]", None], ids=str)
def test_a_token_that_cannot_be_read_is_no_longer_ours(token: str | None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has ended, or the folder was deleted"), owning(tmp_path):
        (tmp_path / TOKEN).unlink() if token is None else (tmp_path / TOKEN).write_text(token)


def test_signals_are_noted_once_and_handlers_come_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    with stopping_gently():
        assert asked_to_stop() == ""
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked_to_stop() == "SIGTERM"
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "a second one ends it at once"
    assert before == {number: signal.getsignal(number) for number in before}
    with stopping_gently():
        assert asked_to_stop() == "", "of this training none was asked"
