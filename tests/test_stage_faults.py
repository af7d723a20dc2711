"""Every stage under every fault of the machine: one line, an exit code that is not 0, and nothing half-written."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.stage_faults import FAULTS, stages

pytestmark = pytest.mark.slow

# What a line must say, by fault. A path that may not be read is refused by the parser of options in some stages.
WORDS = {
    "file too large": ("File too large", "cannot be written", "did not arrive whole"),
    "disk full": ("No space left on device", "cannot be written", "requested and", "did not arrive whole"),
    "memory": ("not enough memory", "Cannot allocate memory"),
    "vanished": ("o such file", "missing", "not a readable X-ray", "no film"),
    "unreadable": (
        "Permission denied",
        "is not readable",
        "not a readable X-ray",
        "not recognized as a NIFTI",
        "No such file",
    ),
    "read-only": ("Permission denied", "failed to write"),
}
# Who may do without what is not there: memory, or a disk that still has one page.
NEED_LITTLE = {
    "memory": {"select", "metrics", "film-views", "film-table"},
    "disk full": {"agreement", "film-views", "film-scores", "film-table", "style-gap"},
}


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, dict[str, Any]]]:
    """All outcomes. Not in pytest's folder, which nobody else may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        # Memory that is freed goes back at once, so that a limit below what is used is felt by the next allocation.
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
        line = [sys.executable, "-m", "tests.stage_faults", folder]
        done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


@pytest.mark.parametrize("stage", stages())
def test_a_stage_runs_where_nothing_is_wrong(stage: str, table: dict[str, dict[str, Any]]) -> None:
    assert table[stage]["none"]["code"] == 0 and table[stage]["none"]["files"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", stages())
def test_a_fault_is_one_line_and_leaves_nothing_half_written(
    stage: str, fault: str, table: dict[str, dict[str, Any]]
) -> None:
    cell, whole = table[stage][fault], table[stage]["none"]["files"]
    if cell is None:
        pytest.skip("no tmpfs can be mounted here")
    if stage in NEED_LITTLE.get(fault, ()) and cell["code"] == 0:
        assert cell["files"] == whole
        return
    assert cell["code"] in (1, 2), cell
    errors = [line for line in cell["stderr"].splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in cell["stderr"], cell["stderr"]
    assert any(word in errors[0] for word in WORDS[fault]), errors[0]
    assert "/" in errors[0] or stage in errors[0], "it names a file, or the command"
    assert " at 0x" not in errors[0] and "Success" not in errors[0]
    different = {name for name, size in cell["files"].items() if whole.get(name) != size}
    assert not different - {"run/training.csv"}, "files are there whole or not at all; the log holds seconds"
