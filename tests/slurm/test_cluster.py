"""The smoke pipeline through profiles/slurm on a cluster of four virtual nodes, where SLURM is installed."""

import os
import subprocess

import pytest

from tests.conftest import ROOT

SKIPPED = 77  # cluster.sh: a program is missing


@pytest.mark.slow
def test_the_smoke_pipeline_runs_through_the_profile() -> None:
    done = subprocess.run(
        [ROOT / "tests/slurm/cluster.sh"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        env=os.environ,
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout
    assert "27 of 27 steps (100%) done" in done.stdout
    assert "submitted" in done.stdout, "jobs must have gone through the queue"
    assert "would wait for ever" not in done.stdout
