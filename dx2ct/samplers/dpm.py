"""DPM-Solver++ 2M (Lu et al. 2022, algorithm 2): second order for the price of one network call a step."""

import math

import torch
from torch import Tensor

from dx2ct.samplers.diffusion import Network, Prediction, Revise, Schedule, split, trailing_timesteps


def dpm(
    schedule: Schedule,
    prediction: Prediction,
    network: Network,
    noise: Tensor,
    steps: int,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    revise: Revise | None = None,
) -> Tensor:
    """Clean slices from noise (n, 1, N, N), as `ddim` with eta 0 at the same time steps; it adds no fresh noise.

    The first and the last step are of first order, which is DDIM's: there is no estimate before the one, and the other
    ends at no noise at all, where the step in lambda = log(signal / noise) is infinite.
    """
    x, before = noise, None
    times = trailing_timesteps(schedule.timesteps, steps)
    for i, now in enumerate(times):
        t = torch.full((len(x),), now, device=x.device)
        clean, _ = split(schedule, prediction, network(x, t), x, t)
        clean = revise(clean) if revise else clean
        if i == steps - 1:
            return clean
        x = _step(schedule, times[max(i - 1, 0) : i + 2], x, clean, before)
        before = clean
    return x


def _step(schedule: Schedule, times: list[int], x: Tensor, clean: Tensor, before: Tensor | None) -> Tensor:
    """One step to times[-1]; `before` is the clean estimate one step ago, at times[0]."""
    bars = [float(schedule.alpha_bar[t]) for t in times]
    lambdas = [0.5 * math.log(bar / (1 - bar)) for bar in bars]
    h = lambdas[-1] - lambdas[-2]
    if before is not None:
        r = (lambdas[-2] - lambdas[-3]) / h
        clean = clean + (clean - before) / (2 * r)
    signal, sigmas = bars[-1] ** 0.5, [(1 - bar) ** 0.5 for bar in bars[-2:]]
    following: Tensor = sigmas[1] / sigmas[0] * x - signal * math.expm1(-h) * clean
    return following
