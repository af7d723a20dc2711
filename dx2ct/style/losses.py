"""The losses of one step: least squares of the patches' judgements, cycle, identity (CycleGAN, sections 3 and 5.2)."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn, Tensor
from torch.nn.functional import l1_loss, mse_loss

from dx2ct.config.style import StyleTrain
from dx2ct.style.network import Discriminators, Generators
from dx2ct.training.engine import Autocast

HISTORY = 1  # what the generator of the history's draws is told beside seed and step


class StepLosses:
    """What one step makes of an X-ray and a film, each (n, 1, N, N) in [-1, 1].

    The generators' terms come first: what they make is shown to the discriminators as it was before their step.
    """

    def __init__(
        self, generators: Generators, discriminators: Discriminators, train: StyleTrain, autocast: Autocast
    ) -> None:
        self.generators, self.discriminators, self.train, self.autocast = generators, discriminators, train, autocast

    def of(self, step: int, synthetic: Tensor, film: Tensor) -> tuple[Iterator[Tensor], Iterator[Tensor]]:
        """The generators' terms, then the discriminators'."""
        made: dict[str, Tensor] = {}
        return self._generators(synthetic, film, made), self._discriminators(step, synthetic, film, made)

    def _generators(self, synthetic: Tensor, film: Tensor, made: dict[str, Tensor]) -> Iterator[Tensor]:
        there, back = self.generators.to_film, self.generators.to_synthetic
        judges = self.discriminators
        judges.requires_grad_(False)
        made["film"], loss = self._direction(synthetic, film, there, back, judges.film)
        yield loss
        made["synthetic"], loss = self._direction(film, synthetic, back, there, judges.synthetic)
        yield loss
        judges.requires_grad_(True)

    def _direction(
        self, given: Tensor, other: Tensor, there: nn.Module, back: nn.Module, judge: nn.Module
    ) -> tuple[Tensor, Tensor]:
        """What `there` makes of an image, and its loss: that of the judge, of the way back, and of an image of the kind
        that it makes, which it should leave alone."""
        with self.autocast():
            both = there(torch.cat([given, other]))  # in one pass, which is faster
            made, kept = (part.float() for part in both.chunk(2))
            judged, again = judge(made).float(), back(made).float()
        loss = mse_loss(judged, torch.ones_like(judged)) + self.train.cycle * l1_loss(again, given)
        return made.detach(), loss + self.train.cycle * self.train.identity * l1_loss(kept, other)

    def _discriminators(self, step: int, synthetic: Tensor, film: Tensor, made: dict[str, Tensor]) -> Iterator[Tensor]:
        chance = np.random.default_rng((self.train.seed, step, HISTORY))
        judges = self.discriminators
        yield self._judging(judges.film, film, judges.films.swapped(made["film"], chance))
        yield self._judging(judges.synthetic, synthetic, judges.synthetics.swapped(made["synthetic"], chance))

    def _judging(self, judge: nn.Module, real: Tensor, made: Tensor) -> Tensor:
        """Half of the errors, so that a discriminator learns more slowly than its generator."""
        with self.autocast():
            is_real, is_made = judge(torch.cat([real, made])).float().chunk(2)
        return (mse_loss(is_real, torch.ones_like(is_real)) + mse_loss(is_made, torch.zeros_like(is_made))) / 2
