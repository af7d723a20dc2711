"""The settings of a run as the rule `train` passes them, for benches and tests that need a real network."""

import json
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DATA_STAGES = ("volume", "xray", "slices")
SECTIONS = ("model", "diffusion", "train")


def run_settings(config: str, run: str = "dx2ct") -> str:
    """Settings JSON of a run of a configuration file, its path seen from the project's root.

    The data stages' version is 1, whatever it is in the rules: no network depends on it.
    """
    sections = yaml.safe_load((ROOT / config).read_text())
    chosen = {"run": sections["runs"][run]} | {name: sections[name] for name in SECTIONS}
    return json.dumps(chosen | {name: {"version": 1, **sections[name]} for name in DATA_STAGES}, sort_keys=True)
