"""Linear operators on torch tensors, with gradients: what drr.Projector calls when it is given a tensor.

The only module of drr that imports torch, and nothing imports it before there is a tensor.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from drr import _cupy

Linear = Callable[[Any], Any]  # of float32 arrays of NumPy or CuPy


def applied(values: Tensor, checked: Linear, forward: Linear, adjoint: Linear) -> Tensor:
    """checked(values), float32 on the values' device; the gradient is the adjoint, and that one's is forward.

    checked is forward with a look at the values first; gradients are taken as they come, so that an overflow in mixed
    precision can be skipped by who looks for it.
    """
    result: Tensor = _Linear.apply(values.to(torch.float32), checked, forward, adjoint)  # type: ignore[no-untyped-call]
    return result


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, first: Linear, forward: Linear, adjoint: Linear) -> Tensor:
        return _called(first, values.detach().contiguous())

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, _, context.linear, context.adjoint = inputs

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        back = _Linear.apply(gradient, context.adjoint, context.adjoint, context.linear)  # type: ignore[no-untyped-call]
        return back, None, None, None


def _called(linear: Linear, values: Tensor) -> Tensor:
    """linear(values), where they are: with CuPy a CUDA tensor does not pass the host."""
    if values.is_cuda and _cupy.available():
        array = _cupy.called(linear, values, torch.cuda.current_stream(values.device))
        return torch.utils.dlpack.from_dlpack(array)
    return torch.from_numpy(linear(values.cpu().numpy())).to(values.device)
