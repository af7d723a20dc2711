from pathlib import Path

import pytest

from tests.dx2ct.download.archive import Served
from tests.dx2ct.download.harness import synthetic


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test archive is on this machine, whatever the environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def series(tmp_path: Path) -> Served:
    """A small series, its files also in tmp_path/series."""
    return synthetic(tmp_path / "series")
