"""The whole pipeline for real, at its smallest: three phantoms to the report, then what goes wrong in practice."""

import csv
import fcntl
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from drr.volume import Volume
from tests.drr.series import body, write_series
from tests.workflow.snake import command, jobs, ROOT, run

pytestmark = pytest.mark.slow
MEAN_ONLY = {"report": ["mean"]}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke")
    done = run(folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The finished run in a folder that a test may spoil; modification times are kept."""
    return Path(shutil.copytree(smoke, tmp_path / "copy"))


def runs(folder: Path) -> list[str]:
    with (folder / "results/metrics.csv").open(newline="") as file:
        return [row["run"] for row in csv.DictReader(file)]


def stacks(folder: Path) -> dict[str, int]:
    """When the slices of each scan were finished, ns."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("data/slices/*/sagittal.npy")}


def test_one_command_ends_in_metrics_and_report(smoke: Path) -> None:
    assert runs(smoke) == ["mean", "dx2ct"]
    assert "phantom-021" in (smoke / "results/report.html").read_text()
    assert (smoke / "results/figures/figure3.png").read_bytes().startswith(b"\x89PNG")
    assert (smoke / "results/figures/figure3.pdf").read_bytes().startswith(b"%PDF")
    assert (smoke / "results/tables/table1a.tex").read_text().count("dx2ct & dx2ct &") == 1
    nodules = (smoke / "results/dx2ct/nodules.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in nodules[1:]] == ["phantom-021"] * 3, "the sheet says so"


def test_the_same_command_again_does_nothing(smoke: Path) -> None:
    again = run(smoke)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout


def test_an_unreadable_scan_is_left_out_and_tried_again_when_repaired(copy: Path) -> None:
    scan = copy / "data/raw/phantom-002.zip"
    whole = scan.read_bytes()
    scan.write_bytes(whole[: len(whole) // 2])

    first = run(copy, config=MEAN_ONLY)
    assert first.returncode == 1
    assert "error: data/raw/phantom-002.zip: " in first.stdout, "the stage's own line must be on the terminal"
    reason = (copy / "data/failed/phantom-002.txt").read_text().splitlines()[0]

    second = run(copy, config=MEAN_ONLY)
    assert second.returncode == 0, second.stdout
    assert f"warning: scan phantom-002 is left out: {reason}" in second.stdout
    assert "volume" not in jobs(second.stdout)
    assert runs(copy) == ["mean"]
    page = (copy / "results/report.html").read_text()
    assert "phantom-002" in page and "not a readable zip" in page
    assert "Nothing to be done" in run(copy, config=MEAN_ONLY).stdout

    scan.write_bytes(whole)
    assert jobs(run(copy, "--dry-run", config=MEAN_ONLY).stdout)["volume"] == 1
    third = run(copy, "data/volumes/phantom-002.mha", config=MEAN_ONLY)
    assert third.returncode == 0, third.stdout
    assert not (copy / "data/failed/phantom-002.txt").exists()


def test_a_forced_training_begins_anew_and_one_that_is_merely_due_goes_on(copy: Path) -> None:
    """`-R train` forgets the states of the runs that it trains, and of no other."""
    states = [copy / f"results/{run}/resume.pt" for run in ("mean", "other")]
    for forced, left in ((False, [True, True]), (True, [False, True])):
        for state in states:
            state.parent.mkdir(exist_ok=True)
            state.write_bytes(b"of an interrupted training")
        (copy / "results/mean/weights.safetensors").unlink()
        target = ["results/mean/weights.safetensors", *(["--forcerun", "train"] if forced else [])]
        assert run(copy, *target, "--dry-run", config=MEAN_ONLY).returncode == 0
        assert all(state.exists() for state in states), "a plan deletes nothing"
        done = run(copy, *target, config=MEAN_ONLY)
        assert done.returncode == 0, done.stdout
        assert [state.exists() for state in states] == left


def test_after_sigkill_the_same_command_finishes_and_redoes_nothing_finished(copy: Path) -> None:
    for path in (copy / "data/xrays").rglob("*.mha"):
        path.unlink()
    for path in [copy / "data/slices", copy / "results"]:
        shutil.rmtree(path)
    process = subprocess.Popen(
        command(copy, "--cores", "1", config=MEAN_ONLY),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(finished := stacks(copy)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)  # everything at once, as a power cut or the OOM killer's cgroup does
    process.wait()
    assert len(finished) >= 2 and not (copy / "results/metrics.csv").exists()
    again = run(copy, config=MEAN_ONLY)
    assert again.returncode == 0, again.stdout
    assert runs(copy) == ["mean"]
    first = min(finished, key=finished.__getitem__)  # on one core the second began when the first was done
    assert stacks(copy)[first] == finished[first]


def test_ones_own_cts_go_through_with_what_is_broken_left_out(tmp_path: Path) -> None:
    """Both commands of the README on a folder with a DICOM series, a NIfTI file and a broken scan."""
    own = tmp_path / "my scans"
    hu = np.kron(body(12, 32, 40), np.ones((2, 2, 2), np.int16))
    write_series(own / "first patient", hu, patient="A/1", step_mm=5.0)
    Volume(hu, (2.0, 2.0, 5.0), (0.0, 0.0, 0.0)).write(own / "second.nii.gz")
    (own / "third.zip").write_bytes(b"PK no zip")
    line = [sys.executable, "-m", "dx2ct", "cohort", str(own), "-o", str(tmp_path / "mine")]
    surveyed = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert surveyed.returncode == 1 and "third.zip: " in surveyed.stderr
    cohort = yaml.safe_load((tmp_path / "mine/config.yaml").read_text())
    assert cohort.pop("base") == "config.yaml", "which would take longer than a test may"
    done = run(tmp_path, config=MEAN_ONLY | cohort)
    assert done.returncode == 0, done.stdout
    assert runs(tmp_path) == ["mean"]
    assert "third.zip" in (tmp_path / "results/report.html").read_text()


def test_two_runs_in_one_folder_are_refused(copy: Path) -> None:
    """The lock is the kernel's, so that it can not outlive its process."""
    (copy / "results/metrics.csv").unlink()
    with (copy / ".snakemake/dx2ct.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = run(copy)
        assert refused.returncode == 1
        assert refused.stdout.strip().splitlines()[-1].startswith("error: another snakemake is running in")
    assert run(copy, "results/metrics.csv").returncode == 0
