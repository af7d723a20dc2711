"""SIGKILL at any moment, the same command again: nothing is lost, nothing is half, nothing is fetched twice."""

import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest

from tests.dx2ct.data.lidc.archive import archive, Served
from tests.dx2ct.data.lidc.harness import arguments, manifest, source, synthetic
from tests.dx2ct.data.lidc.kills import ROOT, run, Work

pytestmark = pytest.mark.slow


def test_kills_at_random_moments(tmp_path: Path) -> None:
    """Five here; thirty by `python -m tests.dx2ct.data.lidc.kills`."""
    series = [synthetic(tmp_path / "series", 11, str(i)) for i in range(4)]
    moments = run(series, tmp_path, kills=5, seed=3, pace_s=0.02)
    assert len(moments) > 2
    assert moments[-1].verified > 0


def test_two_processes_for_one_target_share_the_work(series: Served, tmp_path: Path) -> None:
    """As when a workflow is killed, started again, and its orphan is still working."""
    table, output = manifest(tmp_path / "manifest.tsv", series), tmp_path / "raw/scan.zip"
    with archive(series, pace_s=0.05) as server:
        words = arguments(series, table, output, [source("idc", server.url)])
        command = [sys.executable, "-m", "dx2ct", *words]
        both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        stderr = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], stderr
    assert sorted(path.name for path in output.parent.iterdir()) == ["scan.receipt.json", "scan.zip"]
    fetched = [path for path in server.asked if path.endswith(".dcm")]
    assert sorted(fetched) == sorted(f"/bucket/{series.uuid}/{name}" for name in series.files)
    assert sum("nothing to fetch" in text for text in stderr) == 1


def test_a_killed_waiter_and_a_killed_owner_leave_no_lock(series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series, pace_s=0.2) as server:
        work = Work([series], table, tmp_path / "raw", server)
        first = work.start()
        second = subprocess.Popen(first.args, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
        for process in (second, first):
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        work.finish()
    assert sorted(work.state()) == ["scan-0.receipt.json", "scan-0.zip"]
