"""The diffusion process as pure functions: the network is a callable, the noise an argument.

Slices are (n, 1, N, N) in [-1, 1]; time steps t run from 0 to T - 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dx2ct.config import DiffusionSettings

Prediction = Literal["epsilon", "v", "x0"]
Network = Callable[[Tensor, Tensor], Tensor]  # (x_t, t (n,)) to its prediction
Revise = Callable[[Tensor], Tensor]  # clean estimates of all slices to better ones, between the steps of a solver


@dataclass(frozen=True)
class Schedule:
    """alpha_bar of every step, (T,), float64."""

    alpha_bar: Tensor

    def to(self, device: torch.device) -> "Schedule":
        """The schedule where the slices are, so that no training step waits for the device to say its t."""
        return Schedule(self.alpha_bar.to(device))

    @property
    def timesteps(self) -> int:
        """T."""
        return len(self.alpha_bar)


def linear_schedule(settings: DiffusionSettings) -> Schedule:
    """Betas from beta_start to beta_end in equal steps (Ho et al. 2020, sec. 4)."""
    betas = torch.linspace(settings.beta_start, settings.beta_end, settings.timesteps, dtype=torch.float64)
    return Schedule(torch.cumprod(1 - betas, dim=0))


def _signal_noise(schedule: Schedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    alpha_bar = schedule.alpha_bar[t.to(schedule.alpha_bar.device)].to(like)[:, None, None, None]
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def add_noise(schedule: Schedule, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise (Ho et al. 2020, eq. 4)."""
    signal, sigma = _signal_noise(schedule, t, x0)
    return signal * x0 + sigma * noise


def target(schedule: Schedule, prediction: Prediction, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What the network is trained to say: the noise (the paper's eq. 6), x_0, or v (Salimans and Ho 2022, app. D)."""
    if prediction == "epsilon":
        return noise
    if prediction == "x0":
        return x0
    signal, sigma = _signal_noise(schedule, t, x0)
    return signal * noise - sigma * x0


def split(schedule: Schedule, prediction: Prediction, said: Tensor, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The clean slice, clipped to [-1, 1], and the noise that agrees with it, from what the network said about x_t."""
    signal, sigma = _signal_noise(schedule, t, x)
    if prediction == "epsilon":
        clean = (x - sigma * said) / signal
    elif prediction == "x0":
        clean = said
    else:
        clean = signal * x - sigma * said
    clean = clean.clamp(-1, 1)
    return clean, agreeing_noise(schedule, x, clean, t)


def agreeing_noise(schedule: Schedule, x: Tensor, clean: Tensor, t: Tensor) -> Tensor:
    """The noise that makes x_t of a clean slice."""
    signal, sigma = _signal_noise(schedule, t, x)
    return (x - signal * clean) / sigma


def ddim_timesteps(timesteps: int, steps: int) -> list[int]:
    """`steps` time steps, evenly spaced downwards from T - 1: the first is pure noise ("trailing", Lin et al. 2024)."""
    return [round(timesteps - 1 - i * timesteps / steps) for i in range(steps)]


def ddim(
    schedule: Schedule,
    prediction: Prediction,
    network: Network,
    noise: Tensor,
    steps: int,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    revise: Revise | None = None,
) -> Tensor:
    """Clean slices from noise (n, 1, N, N) by DDIM (Song et al. 2021, eq. 12); eta 0 is deterministic.

    generator: fresh noise for eta > 0. revise: what becomes of every clean estimate; the noise is then the one that
    agrees with the revised estimate, so that the next x_t carries no trace of the estimate before it.
    """
    x = noise
    times = ddim_timesteps(schedule.timesteps, steps)
    for now, after in zip(times, [*times[1:], -1], strict=True):
        t = torch.full((len(x),), now, device=x.device)
        clean, epsilon = split(schedule, prediction, network(x, t), x, t)
        if revise:
            clean = revise(clean)
            epsilon = agreeing_noise(schedule, x, clean, t)
        alpha, alpha_next = (float(schedule.alpha_bar[i]) if i >= 0 else 1.0 for i in (now, after))
        sigma = eta * ((1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next)) ** 0.5
        x = alpha_next**0.5 * clean + (1 - alpha_next - sigma**2) ** 0.5 * epsilon
        if sigma:
            x = x + sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
    return x
