"""Euler's method for DDIM's differential equation (Song et al. 2021, eq. 14): the same steps as DDIM without noise."""

import torch
from torch import Tensor

from dx2ct.samplers.diffusion import agreeing_noise, Network, Prediction, Revise, Schedule, split, trailing_timesteps


def euler(
    schedule: Schedule,
    prediction: Prediction,
    network: Network,
    noise: Tensor,
    steps: int,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    revise: Revise | None = None,
) -> Tensor:
    """Clean slices from noise (n, 1, N, N): d(x / signal) = epsilon d(sigma / signal)."""
    x = noise
    times = trailing_timesteps(schedule.timesteps, steps)
    for now, after in zip(times, [*times[1:], -1], strict=True):
        t = torch.full((len(x),), now, device=x.device)
        clean, epsilon = split(schedule, prediction, network(x, t), x, t)
        if revise:
            clean = revise(clean)
            epsilon = agreeing_noise(schedule, x, clean, t)
        bars = [float(schedule.alpha_bar[i]) if i >= 0 else 1.0 for i in (now, after)]
        ratios = [((1 - bar) / bar) ** 0.5 for bar in bars]
        x = bars[1] ** 0.5 * (x / bars[0] ** 0.5 + (ratios[1] - ratios[0]) * epsilon)
    return x
