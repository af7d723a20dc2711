"""Group norm in pieces is PyTorch's, to rounding."""

import pytest
import torch

from dx2ct.methods.layers.norm import GroupNorm, in_pieces

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(1, 16, 6, 7, 8), (3, 8, 9, 5)])
def test_moments_in_pieces_give_the_same_values_and_gradients(shape: tuple[int, ...], device: str) -> None:
    torch.manual_seed(0)
    layer = GroupNorm(4, shape[1])
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    layer.to(device)
    inputs = (5 + 3 * torch.randn(shape, device=device)).requires_grad_()
    direction = torch.randn(shape, device=device)
    leaves = (inputs, layer.weight, layer.bias)
    expected = torch.nn.functional.group_norm(inputs, 4, layer.weight, layer.bias)
    for found in (in_pieces(inputs, 4, layer.weight, layer.bias, layer.eps), layer(inputs)):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        for one, other in zip(
            torch.autograd.grad(found, leaves, direction, retain_graph=True),
            torch.autograd.grad(expected, leaves, direction, retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_half_precision_is_normed_in_float32() -> None:
    inputs = torch.randn(1, 8, 4, 4, 4).bfloat16()
    weight, bias = torch.ones(8), torch.zeros(8)
    found = in_pieces(inputs, 2, weight, bias, 1e-5)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.nn.functional.group_norm(inputs.float(), 2, weight, bias))
