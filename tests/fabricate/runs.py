"""Runs: with random weights, trained here, or trained by a process of their own."""

from collections.abc import Mapping, Sequence
import csv
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from safetensors.torch import load_file, save
import torch
from torch import nn, Tensor

from dx2ct import layout
from dx2ct.config import EngineSettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.methods import method_named
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.saved import to_text, write_run
from dx2ct.methods.single_pass import SinglePass
from dx2ct.training.runtime import Runtime
from tests.fabricate.scans import rows
from tests.fabricate.settings import ROOT, tiny


def network_of(settings: Any) -> nn.Module:
    """The network of a method that learns, untrained."""
    implementation = method_named(settings.run.method).implement()
    if isinstance(implementation, SinglePass):
        network: nn.Module = implementation.network(settings)
        return network
    return DX2CT(settings)


def random_run(folder: Path, settings: Any = None) -> Path:
    """A run's folder with the random weights of a fixed seed, by default of DX2CT."""
    settings = settings or tiny()
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    weights = {  # noise as well: the last layers start at zero, and every volume would be the same
        name: value + 0.1 * torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in network_of(settings).state_dict().items()
    }
    write_run(save(weights), settings, folder)
    return folder


def train(
    settings: Any,
    data: Path,
    output: Path,
    cohort: Sequence[Row] | None = None,
    engine: EngineSettings | None = None,
) -> Path:
    """A run trained in this process on the CPU; returns its folder."""
    runtime = Runtime(engine=engine or EngineSettings())
    found = rows() if cohort is None else cohort
    method_named(settings.run.method).implement().train(settings, found, data, output, runtime)
    return output


def start(
    settings: Any, data: Path, output: Path, *python: str, save_every_s: float = 120.0
) -> "subprocess.Popen[str]":
    """`dx2ct train` on data/sheet.tsv in a process with one thread.

    settings: a run's, or their text. python: what comes before the subcommand, by default `-m dx2ct`.
    """
    text = settings if isinstance(settings, str) else to_text(settings)
    line = [sys.executable, *(python or ("-m", "dx2ct")), "train", "--settings", text, "--threads", "1"]
    line += ["--sheet", str(data / "sheet.tsv"), "--data", str(data), "-o", str(output), "--device", "cpu"]
    line += ["--engine", json.dumps({"save_every_s": save_every_s})]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def weights_of(run: Path) -> Mapping[str, Tensor]:
    """A run's weights by name."""
    found: dict[str, Tensor] = load_file(layout.weights(run))
    return found


def log_of(run: Path) -> list[dict[str, str]]:
    """The rows of training.csv."""
    with layout.training_log(run).open() as file:
        return list(csv.DictReader(file))
