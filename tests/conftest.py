import os
from pathlib import Path

import pytest
import torch

from tests.driven import chromium

__all__ = ["chromium"]  # one for all

# Two threads on a busy machine wait for each other at every barrier and are many times slower than one.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real CTs and X-rays; the test skips where it is absent."""
    folder = Path(os.environ.get("DX2CT_REAL_DATA", ROOT / "../shared/data"))
    if not (folder / "ct").is_dir():
        pytest.skip(f"no real scans at {folder}: set DX2CT_REAL_DATA to a folder with ct/ and xray/")
    return folder.resolve()


@pytest.fixture(scope="session")
def cases(real_data: Path) -> Path:
    """Folder of small inputs that a careless tool reads wrongly (ct/, xray/, truth.py); the test skips without it."""
    folder = real_data / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases/ at {real_data}")
    return folder
