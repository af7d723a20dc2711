"""DDIM (Song et al. 2021)."""

import torch
from torch import Tensor

from dx2ct.samplers.diffusion import agreeing_noise, Network, Prediction, Revise, Schedule, split, trailing_timesteps


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
    times = trailing_timesteps(schedule.timesteps, steps)
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
