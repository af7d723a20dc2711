"""The forward process of diffusion as pure functions, and what follows of a network's output.

Slices are (n, 1, N, N) in [-1, 1]; time steps t run from 0 to T - 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v", "x0"]
Network = Callable[[Tensor, Tensor], Tensor]  # (x_t, t (n,)) to its prediction
Revise = Callable[[Tensor], Tensor]  # clean estimates of all slices to better ones, between the steps of a solver


@dataclass(frozen=True)
class Schedule:
    """alpha_bar of every step, (T,), float64."""

    alpha_bar: Tensor

    def to(self, device: torch.device) -> "Schedule":
        """The schedule on the device of the slices, so that no training step waits for a copy of t."""
        return Schedule(self.alpha_bar.to(device))

    @property
    def timesteps(self) -> int:
        """T."""
        return len(self.alpha_bar)


def linear_schedule(timesteps: int, beta_start: float, beta_end: float) -> Schedule:
    """Betas from beta_start to beta_end in equal steps (Ho et al. 2020, sec. 4)."""
    betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
    return Schedule(torch.cumprod(1 - betas, dim=0))


def _signal_noise(schedule: Schedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    alpha_bar = schedule.alpha_bar[t.to(schedule.alpha_bar.device)].to(like)[:, None, None, None]
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def add_noise(schedule: Schedule, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise (Ho et al. 2020, eq. 4)."""
    signal, sigma = _signal_noise(schedule, t, x0)
    return signal * x0 + sigma * noise


def target(schedule: Schedule, prediction: Prediction, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """The target of the network: the noise (the paper's eq. 6), x_0, or v (Salimans and Ho 2022, app. D)."""
    if prediction == "epsilon":
        return noise
    if prediction == "x0":
        return x0
    signal, sigma = _signal_noise(schedule, t, x0)
    return signal * noise - sigma * x0


def split(schedule: Schedule, prediction: Prediction, output: Tensor, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The clean slice, clipped to [-1, 1], and the noise that agrees with it, from the network's output for x_t."""
    signal, sigma = _signal_noise(schedule, t, x)
    if prediction == "epsilon":
        clean = (x - sigma * output) / signal
    elif prediction == "x0":
        clean = output
    else:
        clean = signal * x - sigma * output
    clean = clean.clamp(-1, 1)
    return clean, agreeing_noise(schedule, x, clean, t)


def agreeing_noise(schedule: Schedule, x: Tensor, clean: Tensor, t: Tensor) -> Tensor:
    """The noise that makes x_t of a clean slice."""
    signal, sigma = _signal_noise(schedule, t, x)
    return (x - signal * clean) / sigma


def trailing_timesteps(timesteps: int, steps: int) -> list[int]:
    """`steps` time steps, evenly spaced downwards from T - 1: the first is pure noise ("trailing", Lin et al. 2024)."""
    return [round(timesteps - 1 - i * timesteps / steps) for i in range(steps)]
