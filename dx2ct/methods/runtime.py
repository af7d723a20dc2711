"""How reconstructions run on this machine; like the number of threads, it changes results by rounding at most."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch

from dx2ct.config import EngineSettings, PLAIN_ENGINE
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.training.engine import in_channels_last


@dataclass(frozen=True)
class Machine:
    """max_memory_mb: of the process on a CPU, of PyTorch on a GPU; 0 = most of what is free."""

    max_memory_mb: int = 0
    engine: EngineSettings = PLAIN_ENGINE


_PLAIN = Machine()
_MACHINE: ContextVar[Machine] = ContextVar("machine")


def machine() -> Machine:
    """What holds here."""
    return _MACHINE.get(_PLAIN)


@contextmanager
def running(on: Machine) -> Iterator[None]:
    """Reconstructions in here run so."""
    token = _MACHINE.set(on)
    try:
        yield
    finally:
        _MACHINE.reset(token)


def prepared(model: DX2CT, device: torch.device) -> DX2CT:
    """The network with the memory format, and compiled, as the machine's engine says."""
    engine = machine().engine
    in_channels_last(model, device, engine)
    if engine.compile:
        model.unet.compile(dynamic=True)
    return model
