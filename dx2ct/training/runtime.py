"""Where and within which limits a method computes: it changes results by rounding at most."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from drr.errors import InputError
from dx2ct.config import EngineSettings


@dataclass(frozen=True)
class Runtime:
    """The device, the memory that may be used, the engine's settings, and where files lie on this machine.

    max_memory_mb: of the process on a CPU, of PyTorch on a GPU; 0: most of what is free. start: the folder that
    train.start_from means; None: where its path says, or beside the run.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    max_memory_mb: int = 0
    engine: EngineSettings = field(default_factory=EngineSettings)
    start: Path | None = None

    def __post_init__(self) -> None:
        if self.max_memory_mb < 0:
            raise InputError(f"max_memory_mb is {self.max_memory_mb}: MB, or 0 for most of what is free")
