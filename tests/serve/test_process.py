"""The worker as a process of its own: it may die, hang and run out of memory, and the server goes on."""

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from dx2ct.serve.process import DiedError, Worker
from tests.conftest import ROOT
from tests.fabricate import random_run

pytestmark = pytest.mark.slow
FRAMING = {"crop": None, "rotate": 0, "flip": False, "invert": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def worker(folder: Path) -> Iterator[Worker]:
    run = random_run(folder / "run")
    found = Worker({"model": run, "folder": folder, "device": "cpu", "threads": 1, "max_memory_mb": 2000})
    found.start()
    yield found
    found.close()


def previewed(worker: Worker, path: Path) -> tuple[str, object]:
    pictures = {name: str(path.with_suffix(f".{name}.png")) for name in ("whole", "seen")}
    arguments = {"view": "pa", "path": str(path), "framing": FRAMING, **pictures}
    return worker.call("preview", arguments, lambda facts: None, 600, lambda: False)


def test_a_worker_that_is_killed_is_a_line_and_is_started_again(worker: Worker, folder: Path) -> None:
    threading.Timer(0.5, lambda: os.kill(worker.process.pid, signal.SIGKILL)).start()  # type: ignore[union-attr]
    arguments = {"files": {}, "framing": {}, "names": {}, "asked": {}, "passes": None, "folder": str(folder)}
    time.sleep(1)
    with pytest.raises(DiedError, match="the worker was killed: not enough memory"):
        worker.call("run", arguments, lambda facts: None, None, lambda: False)
    assert previewed(worker, folder / "pa.mha")[0] == "done", "the drawn phantom's X-ray"


def test_a_task_that_hangs_is_ended(worker: Worker, folder: Path) -> None:
    os.kill(worker.process.pid, signal.SIGSTOP)  # type: ignore[union-attr]
    with pytest.raises(DiedError, match="it took more than 1 s"):
        worker.call("forget", {}, lambda facts: None, 1, lambda: False)
    assert worker.process is None


def test_a_film_beyond_the_memory_is_a_line(worker: Worker, folder: Path) -> None:
    """8192 x 8192 pixels of 16 bits take several copies of 256 MB; the kernel holds the worker to 2,000 MB."""
    import cv2

    noise = np.random.default_rng(0).integers(0, 65535, (64, 64)).astype(np.uint16)
    cv2.imwrite(str(folder / "large.png"), np.kron(noise, np.ones((128, 128), np.uint16)))
    kind, line = previewed(worker, folder / "large.png")
    assert kind in ("done", "refused") and (kind == "done" or "not enough memory" in str(line))
    with open(f"/proc/{worker.process.pid}/status", encoding="ascii") as status:  # type: ignore[union-attr]
        peak = next(int(row.split()[1]) for row in status if row.startswith("VmHWM"))
    assert peak < 2_300_000, "kB, of which some are files of libraries"


def test_a_model_that_cannot_be_loaded_ends_the_server_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "dx2ct", "serve", "--model", str(tmp_path), "--port", "8765"],
        capture_output=True, text=True, timeout=300, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: {tmp_path}/settings.json: ")
