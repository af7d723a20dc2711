"""The network by its parts: parameters, and one training step metered part by part."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn, Tensor

from dx2ct.methods.dx2ct.lifted import LiftedConditions
from dx2ct.methods.dx2ct.network import DX2CT

Phase = tuple[str, str]  # part, forward or backward


def parts_of(model: DX2CT) -> dict[str, list[nn.Module]]:
    """The modules of each part, the first of which sees the X-rays alone and the last the noisy slices.

    What joins ResNet and 3DPQT is a part of its own: it is in neither in the paper.
    """
    conditions: Any = model.conditions
    if isinstance(conditions, LiftedConditions):
        lifting = [part for part in conditions.children() if part is not conditions.pyramids]
        return {"pyramids": [conditions.pyramids], "lifting": lifting, "unet": [model.unet]}
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

    The graph is cut behind what sees the X-rays alone (the ResNet or the pyramids) and before the U-Net, so that each
    part's backward pass is a call of its own. inputs: X-rays, coordinates, noisy slices and time steps as in
    DX2CT.forward. "3dpqt" here has the position networks and projections with it. Returns the loss.
    """
    features: tuple[list[Tensor], list[Tensor]] = ([], [])
    first, *_, second, last = parts_of(model)

    def after_encoder(_: nn.Module, __: object, output: list[Tensor]) -> list[Tensor]:
        features[0].extend(output)
        leaves = _leaves(output)
        features[1].extend(leaves)
        meter.enter(second, "forward")
        return leaves

    xrays, coordinates, noisy, t = inputs
    hooks = []
    for encoder in _encoders(model):
        hooks.append(encoder.register_forward_pre_hook(lambda *_: meter.enter(first, "forward")))
        hooks.append(encoder.register_forward_hook(after_encoder))
    context = forward_context or nullcontext
    try:
        meter.enter(second, "forward")
        with context():
            maps = model.conditions(xrays, coordinates)
            cut = _leaves(maps)
            meter.enter(last, "forward")
            loss = loss_of(model.denoise(noisy, t, cut))
    finally:
        for hook in hooks:
            hook.remove()
    meter.enter(last, "backward")
    loss.backward()  # type: ignore[no-untyped-call]
    meter.enter(second, "backward")
    torch.autograd.backward(maps, [leaf.grad for leaf in cut])
    meter.enter(first, "backward")
    torch.autograd.backward(features[0], [leaf.grad for leaf in features[1]])
    meter.leave()
    return loss.detach()


def _encoders(model: DX2CT) -> list[nn.Module]:
    """The modules of the first part that are called, one after the other."""
    conditions: Any = model.conditions
    return list(conditions.pyramids) if isinstance(conditions, LiftedConditions) else [conditions.encoder]


def _leaves(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().requires_grad_() for tensor in tensors]
