"""How a network runs on a machine: precision, memory format, compilation, several processes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, TypeVar

import torch
from torch import nn

from drr.errors import InputError
from dx2ct.config import EngineSettings
from dx2ct.training.distributed import together

Network = TypeVar("Network", bound=nn.Module)
Autocast = Callable[[], AbstractContextManager[object]]


def autocast_of(precision: Literal["auto", "float32", "bf16"], device: torch.device) -> Autocast:
    """A context in which the network computes; auto is bf16 on a GPU that has it, float32 elsewhere.

    Weights, optimizer, loss and everything that autocast holds to be unsafe stay float32; bf16 has float32's range, so
    gradients need no scaling.
    """
    has_bf16 = device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not has_bf16:
        raise InputError("train.precision: bf16 is asked for, which this GPU does not have: use auto or float32")
    on = precision == "bf16" or (precision == "auto" and device.type == "cuda" and has_bf16)
    return lambda: torch.autocast(device.type, torch.bfloat16, enabled=on)


def on_device(model: Network, device: torch.device, engine: EngineSettings) -> tuple[Network, nn.Module]:
    """The network on its device, and what to call for a training step: it, on several processes, compiled or not."""
    in_channels_last(model, device, engine)
    network = together(model.to(device).train(), device)
    if engine.compile == "cuda_graphs" and device.type != "cuda":
        raise InputError("engine.compile: cuda_graphs needs a GPU: use true or false on the CPU")
    if engine.compile:
        network.compile(mode="reduce-overhead" if engine.compile == "cuda_graphs" else None)
    return model, network


def in_channels_last(model: nn.Module, device: torch.device, engine: EngineSettings) -> None:
    """Lay the weights of convolutions out as the engine says."""
    asked = engine.memory_format == "channels_last"
    if asked or (engine.memory_format == "auto" and device.type == "cuda"):
        for layer in model.modules():  # of the whole network at once it would fail at a map of five dimensions
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
