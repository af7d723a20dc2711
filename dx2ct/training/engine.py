"""How a network runs on a machine: precision, memory format, compilation, several processes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, TypeVar

import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.config import EngineSettings
from dx2ct.training.distributed import together, world

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


def on_device(
    model: Network, device: torch.device, engine: EngineSettings, parts: int = 1
) -> tuple[Network, nn.Module]:
    """The network on its device, and what to call for a training step: it, on several processes, compiled or recorded.

    parts: of a step (train.accumulate).
    """
    recordable = device.type == "cuda" and max(world(), parts) == 1
    if engine.compile == "cuda_graphs" and not recordable:
        raise InputError(
            f"engine.compile: cuda_graphs is for one GPU and steps of one part, not for {device.type}, {world()} "
            f"process(es) and train.accumulate {parts}: use auto"
        )
    in_channels_last(model, device, engine)
    network = together(model.to(device).train(), device)
    if engine.compile in ("auto", "cuda_graphs") and recordable:
        return model, Recorded(model)
    if engine.compile is True:
        network.compile()
    return model, network


class Recorded(nn.Module):
    """A network on a GPU whose kernels, forward and backward, are recorded at its first call and then replayed.

    A step of a small network is hundreds of kernels that end sooner than the CPU can start them; a replay starts them
    all at once. Inputs of other shapes are computed as they come. The gradients of a replay lie where those of the last
    one did, so that a step must not add up several.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.forward_as_it_is = model.forward
        self.shapes: list[torch.Size] = []

    def forward(self, *inputs: Tensor) -> Tensor:
        """The network's output."""
        shapes = [one.shape for one in inputs]
        if not self.shapes:
            self.shapes = shapes
            self._record(inputs)
        output: Tensor = self.model(*inputs) if shapes == self.shapes else self.forward_as_it_is(*inputs)
        return output

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        # The warm-up's stream is another one, of which PyTorch warns at every later backward pass.
        torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
        before = {name: value.clone() for name, value in self.model.named_buffers()}  # batch norm counts each warm-up
        dtype, enabled = torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda")
        with torch.autocast("cuda", dtype, enabled=enabled, cache_enabled=False):
            torch.cuda.make_graphed_callables(self.model, tuple(one.clone() for one in inputs), allow_unused_input=True)
        for name, value in self.model.named_buffers():
            value.copy_(before[name])


def in_channels_last(model: nn.Module, device: torch.device, engine: EngineSettings) -> None:
    """Lay the weights of convolutions out as the engine says."""
    asked = engine.memory_format == "channels_last"
    if asked or (engine.memory_format == "auto" and device.type == "cuda"):
        for layer in model.modules():  # of the whole network at once it would fail at a map of five dimensions
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
