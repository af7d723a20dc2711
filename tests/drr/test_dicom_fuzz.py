"""Damaged files: one typed error or a volume each, in bounds of time and memory. 20,000 by hand: tests/drr/fuzz.py."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.drr.fuzz import MAX_MB, MAX_SECONDS

pytestmark = pytest.mark.slow


def test_2000_damaged_files_end_in_a_typed_error_or_are_read():
    """In a process of its own: a crash of native code is its end, and its peak memory is known."""
    command = [sys.executable, "-m", "tests.drr.fuzz", "--count", "2000", "--seed", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["slowest"][0] <= MAX_SECONDS and report["peak_mb"] <= MAX_MB
    found = {name: report.get(name, 0) for name in ("refused", "no CT", "image", "volume of 3 axes")}
    assert sum(found.values()) == report["cases"] == 2000
    assert min(found.values()) > 0, f"{found}: the damage is too little or too much"
