"""docs/ as a site: it builds without a network and without a warning, and every page is in its contents."""

from pathlib import Path
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-d", str(tmp_path / "tree")]
    done = subprocess.run([*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    page = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert "Not a medical device" in page and 'href="tutorials/method.html"' in page
    assert "TrainedNearest" in (tmp_path / "site/tutorials/method.html").read_text(encoding="utf-8")
