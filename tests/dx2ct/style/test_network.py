"""The networks and losses of CycleGAN: shapes, fields, history, and the terms against their definitions."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from dx2ct.config.style import StyleModel, StyleTrain
from dx2ct.style.losses import StepLosses
from dx2ct.style.network import Discriminator, Discriminators, Generator, Generators, History, seeded
from dx2ct.training.engine import autocast_of

SMALL = StyleModel(channels=4, blocks=1, discriminator_channels=4)


def test_the_default_networks_are_the_paper_s():
    """11.4 million weights of a ResNet-9, 2.8 million of a discriminator, here for one channel instead of three."""
    counts = [sum(p.numel() for p in kind(StyleModel()).parameters()) for kind in (Generator, Discriminator)]
    assert counts == [11_378_179 - 2 * 64 * 49 * 2 - 2, 2_764_737 - 2 * 64 * 16]


def test_a_judgement_looks_at_70_pixels():
    judge = Discriminator(StyleModel(discriminator_channels=4)).double()
    for layer in judge:  # norms look at the whole image
        assert not isinstance(layer, nn.BatchNorm2d)
    judge = nn.Sequential(*(layer for layer in judge if not isinstance(layer, nn.InstanceNorm2d)))
    image = torch.rand(1, 1, 160, 160, dtype=torch.float64, requires_grad=True)
    judged = judge(image)
    judged[0, 0, judged.shape[2] // 2, judged.shape[3] // 2].backward()
    seen = image.grad[0, 0].abs().sum(dim=0).nonzero()[:, 0]
    assert int(seen[-1] - seen[0]) + 1 == 70


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_images_keep_their_size_and_range(upsampling: Literal["transposed", "nearest"], side: int):
    images = torch.rand(2, 1, side, side) * 2 - 1
    made = Generator(replace(SMALL, upsampling=upsampling))(images)
    assert made.shape == images.shape and made.abs().max() <= 1


def test_a_residual_generator_begins_with_what_it_is_given():
    images = torch.rand(1, 1, 32, 32) * 1.9 - 0.95
    far = [
        float((seeded(lambda model=model: Generator(model), 0)(images) - images).abs().mean().detach())
        for model in (StyleModel(channels=4, blocks=1, residual=True), SMALL)
    ]
    assert far[0] < 0.15 < 0.4 < far[1]


def test_the_history_shows_half_of_the_old_and_keeps_as_many_as_it_may():
    history, chance = History(3, 2), np.random.default_rng(0)
    fresh = [torch.full((1, 1, 2, 2), float(number)) for number in range(200)]
    shown = [float(history.swapped(image, chance)[0, 0, 0, 0]) for image in fresh]
    assert shown[:3] == [0, 1, 2], "while it fills"
    old = [value < number for number, value in enumerate(shown[3:], start=3)]
    assert 0.4 < np.mean(old) < 0.6
    assert len(set(shown)) == len(shown) - 3, "each is shown once, and those that filled it once more"
    assert History(0, 2).swapped(fresh[5], chance).equal(fresh[5])


def test_losses_are_least_squares_cycle_and_identity():
    """With generators that leave everything as it is, all but the judges' errors are 0 or differences of the images."""
    train = StyleTrain(steps=1, cycle=10.0, identity=0.5)
    generators, judges = Generators(SMALL), Discriminators(SMALL, train, 32)
    generators.to_film, generators.to_synthetic = nn.Identity(), nn.Identity()
    losses = StepLosses(generators, judges, train, autocast_of("float32", torch.device("cpu")))
    xray, film = torch.rand(2, 1, 1, 32, 32)
    first, second = losses.of(0, xray, film)
    found = list(first)
    torch.testing.assert_close(found[0], (judges.film(xray) - 1).square().mean())
    torch.testing.assert_close(found[1], (judges.synthetic(film) - 1).square().mean())
    expected = ((judges.film(film) - 1).square().mean() + judges.film(xray).square().mean()) / 2
    torch.testing.assert_close(next(second), expected)


def test_the_weights_of_cycle_and_identity():
    def total(cycle: float, identity: float) -> float:
        train = StyleTrain(steps=1, cycle=cycle, identity=identity)
        generators, judges = Generators(SMALL), Discriminators(SMALL, train, 32)
        generators.to_film, generators.to_synthetic = Add(0.5), Add(0.25)
        for part in judges.parameters():
            part.data.zero_()  # every judgement is 0, its error 1
        losses = StepLosses(generators, judges, train, autocast_of("float32", torch.device("cpu")))
        return float(sum(losses.of(0, *torch.zeros(2, 1, 1, 32, 32))[0]))

    assert total(10.0, 0.5) == pytest.approx(2 + 10 * (0.75 + 0.75) + 5 * (0.5 + 0.25))
    assert total(1.0, 0.0) == pytest.approx(2 + 1.5)


class Add(nn.Module):
    """A translation that adds a number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.number


def test_a_seed_draws_the_same_weights_and_leaves_other_draws_alone():
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (seeded(lambda: Generator(SMALL), seed) for seed in (1, 1, 2))
    assert torch.rand(1) == before
    weights = [network.state_dict()["body.1.weight"] for network in (one, two, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert 0.015 < float(one.state_dict()["body.10.body.1.weight"].std()) < 0.025
