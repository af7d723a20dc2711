"""Names of tests/fabricate as some tests still call them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import fabricate
from tests.fabricate import body, settings_of, SIZE, TESTS, write_data
from tests.fabricate import write_reconstructions as write_run

__all__ = ["DX2CT", "SIZE", "TESTS", "body", "settings_of", "write_data", "write_run", "write_sheet"]

DX2CT: Mapping[str, Any] = fabricate.DX2CT


def write_sheet(path: Path, further: str = "") -> None:
    """A phantom's sheet: two training scans, the test scans, and more lines."""
    splits = {"a1": "train", "a2": "train", **dict.fromkeys(TESTS, "test")}
    lines: Sequence[str] = further.splitlines()
    fabricate.write_sheet(path, splits, seeds=True, further=lines)
