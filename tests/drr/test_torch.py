"""The ray-caster under autograd."""

import numpy as np
import pytest
import torch

from drr.geometry import ConeBeam
from drr.torch import grid_of, project

GRID = grid_of(12, 20.0)
VIEWS = [ConeBeam(541.0, 949.0, 500.0, 16).view(name, (0.0, 0.0, 0.0)) for name in ("pa", "lateral")]


def test_gradient_is_the_adjoint():
    """d<A x, y>/dx = A' y, checked along a direction against the operator itself, which is linear."""
    torch.manual_seed(0)
    mu, step = torch.rand(2, 12, 12, 12)
    weights = torch.randn(2, 16, 16)
    mu.requires_grad_()
    (project(mu, GRID, VIEWS) * weights).sum().backward()
    along = (project(step, GRID, VIEWS) * weights).double().sum()
    assert float((mu.grad.double() * step).sum()) == pytest.approx(float(along), rel=1e-4)


def test_a_volume_is_found_from_its_projections():
    """Gradient descent on the difference of the projections brings it down: what projection consistency needs."""
    truth = torch.zeros(12, 12, 12)
    truth[4:8, 3:7, 5:9] = 0.02
    seen = project(truth, GRID, VIEWS)
    mu = torch.zeros(12, 12, 12, requires_grad=True)
    losses = []
    for _ in range(20):
        loss = (project(mu, GRID, VIEWS) - seen).square().mean()
        losses.append(float(loss.detach()))
        (gradient,) = torch.autograd.grad(loss, mu)
        with torch.no_grad():
            mu -= 2e-3 * gradient / gradient.abs().max()
    assert losses[-1] < 0.2 * losses[0]


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="does not lie on a grid"):
        project(torch.zeros(3, 3, 3), GRID, VIEWS)
    assert GRID.centre_mm == (0.0, 0.0, 0.0) and np.prod(GRID.array.shape) == 12**3
