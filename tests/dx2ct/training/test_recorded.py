"""Steps that a GPU replays: what is recorded computes what the plain code computes."""

from copy import deepcopy

import pytest
import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.config import check, EngineSettings, TrainSettings
from dx2ct.training.engine import on_device
from dx2ct.training.optimizers import MatrixMuon

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
RECORDED = EngineSettings(compile="cuda_graphs")


class Small(nn.Module):
    """A convolution, batch norm, and a weight that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 1, 3))
        self.idle = nn.Parameter(torch.zeros(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.body(x)
        return output


def trained(engine: EngineSettings, steps: int, autocast: bool) -> tuple[list[float], nn.Module]:
    torch.manual_seed(0)
    device = torch.device("cuda")
    model, network = on_device(Small(), device, engine)
    optimizer = MatrixMuon(model.parameters(), check(TrainSettings, optimizer="muon", learning_rate=1e-2, steps=steps))
    losses = []
    for step in range(steps):
        x = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(step)).to(device)
        optimizer.param_groups[0]["lr"] = 1e-2 / (step + 1)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
            loss = network(x).float().square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model


@GPU
@pytest.mark.parametrize("autocast", [False, True])
def test_a_recorded_training_is_the_plain_one(autocast: bool) -> None:
    plain, one = trained(EngineSettings(compile=False), 6, autocast)
    replayed, other = trained(RECORDED, 6, autocast)
    assert plain[0] > 1.05 * plain[-1]
    assert replayed == pytest.approx(plain, rel=2e-2 if autocast else 1e-4)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=2e-2, atol=2e-3)
    assert other.body[1].num_batches_tracked == 6, "warm-up is not counted"


@GPU
def test_another_shape_and_evaluation_are_computed_as_they_come() -> None:
    torch.manual_seed(0)
    model, network = on_device(Small(), torch.device("cuda"), RECORDED)
    twin = deepcopy(model)
    sides = [torch.randn(4, 1, side, side, device="cuda") for side in (16, 20, 16)]
    for x in sides:
        torch.testing.assert_close(network(x), twin(x), rtol=1e-3, atol=1e-4)
    model.eval(), twin.eval()
    torch.testing.assert_close(model(sides[1]), twin(sides[1]), rtol=1e-3, atol=1e-4)


@GPU
def test_recorded_muon_moves_weights_as_plain_muon() -> None:
    torch.manual_seed(3)
    shapes = [(16, 8), (16, 8), (70, 90), (8, 4, 3, 3)]
    train = check(TrainSettings, optimizer="muon", learning_rate=1e-2, steps=5, weight_decay=0.1)
    ones = [nn.Parameter(torch.randn(shape, device="cuda")) for shape in shapes]
    others = [nn.Parameter(one.detach().clone()) for one in ones]
    recorded, plain = MatrixMuon(ones, train), MatrixMuon(others, train)
    for step in range(5):
        rate = 1e-2 / (step + 1)
        recorded.param_groups[0]["lr"] = rate
        for one, other in zip(ones, others, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        recorded.step()
        with torch.no_grad():
            plain.update(range(len(others)), [other.grad for other in others if other.grad is not None], rate)
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_rate_that_is_a_tensor_moves_weights_as_a_number_does() -> None:
    torch.manual_seed(4)
    train = check(TrainSettings, optimizer="muon", learning_rate=1e-2, steps=5, weight_decay=0.1)
    ones = [nn.Parameter(torch.randn(6, 9)) for _ in range(2)]
    others = [nn.Parameter(one.detach().clone()) for one in ones]
    gradients = [torch.randn(6, 9) for _ in ones]
    with torch.no_grad():
        MatrixMuon(ones, train).update([0, 1], gradients, 0.02)
        MatrixMuon(others, train).update([0, 1], gradients, torch.tensor(0.02))
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_a_step_of_several_parts_is_not_recorded() -> None:
    with pytest.raises(
        InputError, match=r"one GPU and steps of one part, not for cuda, 1 process\(es\) and .* 2: use auto"
    ):
        on_device(Small(), torch.device("cuda"), RECORDED, parts=2)
