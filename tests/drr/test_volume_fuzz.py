"""Damaged volume files: one typed error or a volume each, in bounds. 20,000 by hand: tests/drr/fuzz_volumes.py."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.drr.fuzz_volumes import MAX_MB, MAX_SECONDS

pytestmark = pytest.mark.slow


def test_1000_damaged_headers_end_in_a_typed_error_or_are_read():
    """In a process of its own: a crash of native code is its end, and its peak memory is known."""
    command = [sys.executable, "-m", "tests.drr.fuzz_volumes", "--count", "1000", "--seed", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["slowest"][0] <= MAX_SECONDS and report["largest_mb"][0] <= MAX_MB
    assert report["refused"] + report["3 axes"] == report["cases"] > 1000
    assert min(report["refused"], report["3 axes"]) > 50, f"{report}: the damage is too little or too much"
