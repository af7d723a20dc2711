"""The contract of every method (by name: registry.py). A method is a module, or an object, with two functions:

    train(settings, rows, data, output, device, engine)    writes weights.safetensors and settings.json into `output`
    reconstruct(settings, run, how, scan, data, device)    {plane: (z, y, x) float32 HU} of one scan; with
                                                           how.samples > 1 a method may add DEVIATION

where `settings` is the JSON text of config.yaml's sections for the run. The stages know only this.

A method that learns step by step builds a `Learned` (dx2ct/training/learned.py): its network, the losses of a step (a
GAN's are two turns, each with an optimizer), its validation. Loop, states, processes and logs are the same for all.
A rival with one forward pass has less to say: examples, network, loss, planes (dx2ct/methods/single_pass.py).
A method that `dx2ct predict` can ask has a third function, `sees(settings)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
import torch

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import (
    dump,
    EngineSettings,
    PLAIN_ENGINE,
    ReconstructSettings,
    SlicesSettings,
    VolumeSettings,
    XraySettings,
)
from dx2ct.data.cohort.sheet import Row

DEVIATION = "deviation"  # beside the planes, of a method that samples: standard deviation over samples, HU
WEIGHTS, SETTINGS = "weights.safetensors", "settings.json"


class Method(Protocol):
    """What train.py and reconstruct.py of every method look like from outside."""

    def train(
        self,
        settings: str,
        rows: Sequence[Row],
        data: Path,
        output: Path,
        device: torch.device,
        engine: EngineSettings = PLAIN_ENGINE,
    ) -> None:
        """Train on the scans of split train and write the run's files."""

    def reconstruct(
        self, settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
    ) -> dict[str, NDArray[np.float32]]:
        """Volumes of one scan from its X-rays, one per plane."""


@dataclass(frozen=True)
class Sight:
    """What a learned method sees: films of these views in its order, `pixels` a side; and where its volumes lie.

    samples: it starts from noise, so that `ReconstructSettings` mean something to it.
    """

    views: tuple[str, ...]
    pixels: int
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
    samples: bool


@runtime_checkable
class Seeing(Protocol):
    """A method that can be asked about films of any origin."""

    def sees(self, settings: str) -> Sight:
        """What it wants to see; InputError for settings of another version."""


def training_scans(rows: Sequence[Row]) -> list[str]:
    """Scans of split train; InputError where there is none."""
    scans = [row.scan for row in rows if row.split == "train"]
    if not scans:
        raise InputError("the cohort has no scan of split train")
    return scans


def write_run(weights: bytes, settings: object, output: Path) -> None:
    """Leave what makes a run finished: its weights (safetensors), then its settings."""
    with replacing(output / WEIGHTS) as part:
        part.write_bytes(weights)
    with replacing(output / SETTINGS) as part:
        part.write_text(dump(settings))
