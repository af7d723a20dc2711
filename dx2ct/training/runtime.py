"""Where and within which limits a method computes: it changes results by rounding at most."""

from dataclasses import dataclass, field

import torch

from dx2ct.config import EngineSettings


@dataclass(frozen=True)
class Runtime:
    """The device, the memory that may be used and the engine's settings.

    max_memory_mb: of the process on a CPU, of PyTorch on a GPU; 0: most of what is free.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    max_memory_mb: int = 0
    engine: EngineSettings = field(default_factory=EngineSettings)
