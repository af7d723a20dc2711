"""The ray-caster on tensors: the same numbers, and gradients that are its own transpose."""

import numpy as np
import pytest
import torch
from torch import Tensor

from drr import ConeBeam, Projector, Volume
from drr._cupy import available
from drr.errors import InputError

GRID = Volume.empty((10, 11, 12), (20.0, 20.0, 20.0), (-110.0, -100.0, -90.0))
VIEWS = [ConeBeam(541.0, 949.0, (500.0, 400.0), (16, 10)).view(name, (0.0, 0.0, 0.0)) for name in ("pa", "lateral")]
A = Projector(GRID, VIEWS, rays=2)
BOTH = pytest.mark.parametrize("operator", [A, A.T], ids=["A", "A.T"])
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def some(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@BOTH
@pytest.mark.parametrize("device", DEVICES)
def test_tensors_give_the_numbers_of_arrays(operator, device):
    x = some(operator.domain_shape)
    found = operator(x.to(device))
    assert found.device.type == device and found.dtype == torch.float32 and not found.requires_grad
    if device == "cpu":
        np.testing.assert_array_equal(found.numpy(), operator(x.numpy()))
    np.testing.assert_allclose(found.cpu().numpy(), operator(x.numpy()), rtol=1e-4, atol=1e-3)


@BOTH
@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_is_the_difference_quotient(operator, device):
    """Of a loss that is no linear function of the operator's result, along one direction; the loss is quadratic,
    so that central differences of any width are exact up to rounding."""
    x, step = some(operator.domain_shape).to(device), some(operator.domain_shape, 1).to(device)
    given = operator(some(operator.domain_shape, 2).to(device))

    def loss(at: Tensor) -> Tensor:
        return (operator(at) - given).double().square().sum()

    x.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x), x)
    with torch.no_grad():
        quotient = float(loss(x + step) - loss(x - step)) / 2
    assert float((gradient.double() * step).sum()) == pytest.approx(quotient, rel=1e-4)


@BOTH
def test_the_gradient_is_the_transposed_operator(operator):
    x, y = some(operator.domain_shape).requires_grad_(), some(operator.range_shape, 1)
    operator(x).backward(y)
    np.testing.assert_array_equal(x.grad.numpy(), operator.T(y.numpy()))


def test_the_second_derivative_of_the_squared_error_is_the_normal_operator():
    """d/dx of |A x|^2 / 2 is A.T A x, and its derivative along v is A.T A v."""
    x, v = some(A.domain_shape).requires_grad_(), some(A.domain_shape, 1)
    (gradient,) = torch.autograd.grad(A(x).square().sum() / 2, x, create_graph=True)
    (second,) = torch.autograd.grad(gradient, x, v)
    np.testing.assert_allclose(second.numpy(), A.T(A(v)).numpy(), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_numbers_are_cast_and_their_gradients_cast_back(dtype):
    x = some(A.domain_shape).to(dtype).requires_grad_()
    images = A(x)
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(images.detach().numpy(), A(x.detach().float().numpy()))
    images.mean().backward()
    assert x.grad.dtype == dtype and torch.isfinite(x.grad).all()


def test_tensors_of_any_layout_and_mode():
    x = some(A.domain_shape)
    turned = x.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    assert not turned.is_contiguous()
    with torch.inference_mode():
        np.testing.assert_array_equal(A(turned).numpy(), A(x).numpy())


def test_an_overflow_on_the_way_back_is_not_an_error():
    """Mixed precision lets gradients overflow and skips that step."""
    x = some(A.domain_shape).requires_grad_()
    (A(x) * float("inf")).sum().backward()
    assert not torch.isfinite(x.grad).all()


def test_a_volume_is_found_from_its_projections():
    """Gradient descent on the difference of the projections brings it down: what projection consistency needs."""
    truth = torch.zeros(A.domain_shape)
    truth[4:8, 3:7, 5:9] = 0.02
    target = A(truth)
    mu = torch.zeros(A.domain_shape, requires_grad=True)
    losses = []
    for _ in range(20):
        loss = (A(mu) - target).square().mean()
        losses.append(float(loss.detach()))
        (gradient,) = torch.autograd.grad(loss, mu)
        with torch.no_grad():
            mu -= 2e-3 * gradient / gradient.abs().max()
    assert losses[-1] < 0.2 * losses[0]


def test_bad_tensors_are_refused_in_one_line():
    with pytest.raises(InputError, match=r"shape \(3, 3, 3\) .* = \(10, 11, 12\)"):
        A(torch.zeros(3, 3, 3))
    holed = torch.zeros(A.range_shape)
    holed[1, 2, 3] = torch.nan
    with pytest.raises(InputError, match=r"nan at \(view, row, column\) = \(1, 2, 3\)"):
        A.T(holed)


@pytest.mark.skipif(not (available() and torch.cuda.is_available()), reason="no GPU")
def test_cuda_tensors_are_worked_on_in_line_with_the_callers_stream():
    x = some(A.domain_shape)
    expected = A(x.numpy())
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(20):
            noise = torch.rand(2000, 2000, device="cuda") @ torch.rand(2000, 2000, device="cuda")
            late = x.cuda(non_blocking=True) + 0 * noise[0, 0]
            images = A(late)
            del late
            np.testing.assert_allclose((images + 0).cpu().numpy(), expected, rtol=1e-4, atol=1e-3)
