"""The mean training volume: what a method that never looks at the X-rays can do. The floor of every comparison."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
import torch

from dx2ct.config import EngineSettings, MeanSettings, parse, PLAIN_ENGINE, ReconstructSettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_stack
from dx2ct.data.window import windowed
from dx2ct.methods.base import training_scans, WEIGHTS, write_run


def train(
    settings: str,
    rows: Sequence[Row],
    data: Path,
    output: Path,
    device: torch.device,
    engine: EngineSettings = PLAIN_ENGINE,
) -> None:
    """Average the training volumes, clipped to the HU window, on the training grid; device and engine mean nothing."""
    parsed = parse(MeanSettings, settings)
    scans = training_scans(rows)
    total = sum(windowed(read_stack(data, scan, "axial", parsed.slices.size)) for scan in scans)
    write_run(save({"mean_hu": np.asarray(total / len(scans), np.float32)}), parsed, output)


def reconstruct(
    settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
) -> dict[str, NDArray[np.float32]]:
    """The same volume for every scan."""
    return dict.fromkeys(PLANES, load_file(run / WEIGHTS)["mean_hu"])
