"""The optimizers: Muon for matrices of any shape, AdamW for the rest, and what a state must keep."""

from typing import Any

import pytest
import torch
from torch import nn

from drr.errors import InputError
from dx2ct.config import check, TrainSettings
from dx2ct.training.optimizers import MatrixMuon, optimizer_of, orthogonal


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.LazyLinear(3))


def settings(**changes: Any) -> TrainSettings:
    values: dict[str, Any] = {"optimizer": "muon", "learning_rate": 1e-2, "steps": 5, "weight_decay": 0.1} | changes
    return check(TrainSettings, **values)


def stepped(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        model(torch.randn(2, 2, 4, 4, 4)).square().sum().backward()
        optimizer.step()


def prepared() -> nn.Module:
    model = network()
    model(torch.zeros(1, 2, 4, 4, 4))
    return model


def test_a_convolution_is_moved_as_torch_s_muon_moves_its_matrix() -> None:
    model, train = prepared(), settings()
    matrix = nn.Parameter(model[0].weight.detach().flatten(1).clone())
    reference = torch.optim.Muon([matrix], 1e-2, 0.1, 0.95, adjust_lr_fn="match_rms_adamw")
    ours = optimizer_of(model, train)
    model(torch.ones(1, 2, 4, 4, 4)).square().sum().backward()
    matrix.grad = model[0].weight.grad.flatten(1).clone()
    ours.step()
    reference.step()
    torch.testing.assert_close(model[0].weight.flatten(1), matrix, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(4, 12), (12, 4), (8, 8), (70, 90)])
def test_matrices_of_one_shape_are_moved_as_torch_s_muon_moves_each(shape: tuple[int, int]) -> None:
    """Together or, of many rows, one by one; bfloat16 rounds sums that are added in another order."""
    torch.manual_seed(1)
    ours, theirs = ([nn.Parameter(torch.randn(shape)) for _ in range(3)] for _ in range(2))
    for one, other in zip(ours, theirs, strict=True):
        other.data.copy_(one.data)
    reference = torch.optim.Muon(theirs, 1e-2, 0.1, 0.95, adjust_lr_fn="match_rms_adamw")
    optimizer = MatrixMuon(ours, settings())
    for _ in range(3):
        before = [one.detach().clone() for one in ours]
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(shape)
            other.grad = one.grad.clone()
        optimizer.step()
        reference.step()
        for one, other, old in zip(ours, theirs, before, strict=True):
            moved = (one - old).detach()
            assert (one - other).norm() < 0.02 * moved.norm()


def test_singular_values_are_brought_near_one() -> None:
    torch.manual_seed(2)
    values = torch.linalg.svdvals(torch.stack(list(orthogonal([torch.randn(16, 40) for _ in range(4)]))).float())
    assert values.min() > 0.6 and values.max() < 1.3


def test_a_weight_without_a_gradient_stays() -> None:
    model = prepared()
    before = model[0].weight.detach().clone()
    model[0].weight.requires_grad_(False)
    optimizer = MatrixMuon(model.parameters(), settings())
    model(torch.ones(1, 2, 4, 4, 4)).square().sum().backward()
    optimizer.step()
    assert torch.equal(model[0].weight, before)


def test_norms_and_biases_are_moved_as_by_adamw() -> None:
    model, twin = prepared(), prepared()
    one = optimizer_of(model, settings())
    other = torch.optim.AdamW(twin.parameters(), 1e-2, (0.9, 0.999), weight_decay=0.1)
    for net, optimizer in ((model, one), (twin, other)):
        net(torch.ones(1, 2, 4, 4, 4)).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(model[1].weight, twin[1].weight)
    torch.testing.assert_close(model[0].bias, twin[0].bias)
    assert not torch.allclose(model[0].weight, twin[0].weight)


def test_weights_that_lie_channels_last_are_moved_the_same() -> None:
    model, twin = prepared(), prepared()
    twin.to(memory_format=torch.channels_last_3d)
    for net in (model, twin):
        stepped(net, optimizer_of(net, settings()), 3)
    torch.testing.assert_close(model[0].weight, twin[0].weight, rtol=1e-2, atol=1e-3)  # Muon computes in bfloat16


def test_a_saved_state_goes_on_as_if_nothing_had_happened() -> None:
    whole, halved = prepared(), prepared()
    stepped(whole, optimizer_of(whole, settings()), 4)
    first = optimizer_of(halved, settings())
    stepped(halved, first, 2)
    second = optimizer_of(halved, settings())
    second.load_state_dict(first.state_dict())
    for step in range(2, 4):
        torch.manual_seed(step)
        second.zero_grad()
        halved(torch.randn(2, 2, 4, 4, 4)).square().sum().backward()
        second.step()
    for one, other in zip(whole.parameters(), halved.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_learning_rate_of_a_step_reaches_both() -> None:
    model = prepared()
    optimizer = optimizer_of(model, settings())
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.param_groups[0]["lr"] = 0.0
    stepped(model, optimizer, 1)
    for one, other in zip(before, model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_the_others_are_torch_s(name: str, kind: type) -> None:
    assert type(optimizer_of(prepared(), settings(optimizer=name))) is kind


def test_muon_on_a_method_without_matrices_is_refused() -> None:
    with pytest.raises(InputError, match=r"train.optimizer: muon needs weights"):
        MatrixMuon(nn.GroupNorm(2, 4).parameters(), settings())
