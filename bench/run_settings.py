"""The settings of a run of a configuration file, for benches and tests that need a real network."""

from pathlib import Path
from typing import Any

from dx2ct.planning.resolve import resolve

ROOT = Path(__file__).resolve().parents[1]


def run_settings(config: str, run: str = "dx2ct") -> Any:
    """Settings of a run; the file's path is seen from the project's root."""
    return resolve([ROOT / config], ROOT).settings(run)
