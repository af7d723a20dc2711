from pathlib import Path

import pytest

from tests.dx2ct.data.lidc.archive import Served
from tests.dx2ct.data.lidc.harness import synthetic


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test archive is on this machine, whatever the environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(scope="session")
def series_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of `series` lie; not to be changed."""
    return tmp_path_factory.mktemp("series")


@pytest.fixture(scope="session")
def series(series_folder: Path) -> Served:
    """A small series."""
    return synthetic(series_folder)
