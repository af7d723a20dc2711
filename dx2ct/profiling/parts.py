"""The network by its parts: parameters, and one training step metered part by part."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn, Tensor

from dx2ct.methods.dx2ct.network import DX2CT

Phase = tuple[str, str]  # part, forward or backward


def parts_of(model: DX2CT) -> dict[str, list[nn.Module]]:
    """The modules of each part. What joins ResNet and 3DPQT is a part of its own: it is in neither in the paper."""
    conditions: Any = model.conditions
    return {
        "resnet": [conditions.encoder],
        "positions": [conditions.ct_positions, conditions.xray_positions, conditions.project],
        "3dpqt": [conditions.transformers, conditions.joins],
        "unet": [model.unet],
    }


def parameters(model: DX2CT) -> dict[str, int]:
    """How many parameters each part has."""
    parts = parts_of(model)
    return {name: sum(p.numel() for module in modules for p in module.parameters()) for name, modules in parts.items()}


class Meter:
    """Adds up how much a reading (seconds, operations) grows in each phase."""

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read
        self.sums: dict[Phase, float] = defaultdict(float)
        self.phase: Phase | None = None
        self.last = 0.0

    def enter(self, part: str, direction: str = "") -> None:
        """End the phase before, begin this one."""
        now = self.read()
        if self.phase:
            self.sums[self.phase] += now - self.last
        self.phase, self.last = (part, direction), self.read()

    def leave(self) -> None:
        """End the last phase."""
        self.enter("")
        self.phase = None


def gradients_by_parts(
    model: DX2CT,
    inputs: tuple[Tensor, Tensor, Tensor, Tensor],
    loss_of: Callable[[Tensor], Tensor],
    meter: Meter,
    forward_context: Callable[[], AbstractContextManager[object]] | None = None,
) -> Tensor:
    """Leave in `.grad` what `loss_of(model(*inputs)).backward()` would, one part after the other.

    The graph is cut behind the ResNet and before the U-Net, so that each part's backward pass is a call of its own.
    inputs: X-rays, coordinates, noisy slices and time steps as in DX2CT.forward. "3dpqt" here has the position networks
    and projections with it. Returns the loss.
    """
    features: tuple[list[Tensor], list[Tensor]] = ([], [])

    def after_resnet(_: nn.Module, __: object, output: list[Tensor]) -> list[Tensor]:
        features[0].extend(output)
        features[1].extend(_leaves(output))
        meter.enter("3dpqt", "forward")
        return features[1]

    xrays, coordinates, noisy, t = inputs
    encoder: Any = model.conditions.encoder
    hooks = [
        encoder.register_forward_pre_hook(lambda *_: meter.enter("resnet", "forward")),
        encoder.register_forward_hook(after_resnet),
    ]
    context = forward_context or nullcontext
    try:
        meter.enter("3dpqt", "forward")
        with context():
            maps = model.conditions(xrays, coordinates)
            cut = _leaves(maps)
            meter.enter("unet", "forward")
            loss = loss_of(model.denoise(noisy, t, cut))
    finally:
        for hook in hooks:
            hook.remove()
    meter.enter("unet", "backward")
    loss.backward()  # type: ignore[no-untyped-call]
    meter.enter("3dpqt", "backward")
    torch.autograd.backward(maps, [leaf.grad for leaf in cut])
    meter.enter("resnet", "backward")
    torch.autograd.backward(features[0], [leaf.grad for leaf in features[1]])
    meter.leave()
    return loss.detach()


def _leaves(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().requires_grad_() for tensor in tensors]
