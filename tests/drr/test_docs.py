"""docs/drr.md is what a person would paste: every Python block and every command runs, in order, in one folder."""

import os
from pathlib import Path
import re
import shlex
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "docs/drr.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    python, environment = "", os.environ | {"PYTHONPATH": str(ROOT)}
    for language, text in BLOCKS:
        if language == "python":
            python += text
            commands = [[sys.executable, "-c", python]]
        else:
            assert not language, f"a block of {language} is not run"
            commands = [shlex.split(line, comments=True) for line in text.splitlines()]
            assert all(command[0] == "python" for command in commands)
        for command in commands:
            command[0] = sys.executable
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{text}\n{done.stderr}"
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {"xrays/pa.mha", "xrays/pa.png", "xrays/lateral.mha", "more/ap.mha", "turned/gantry200_tilt10.mha"} <= made
