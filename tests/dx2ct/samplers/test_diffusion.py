"""Laws of the diffusion process."""

import pytest
import torch

from dx2ct.samplers.ddim import ddim
from dx2ct.samplers.diffusion import add_noise, linear_schedule, split, target, trailing_timesteps

SCHEDULE = linear_schedule(1000, 1e-4, 2e-2)
KINDS = ("epsilon", "v", "x0")


def _example(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.rand(6, 1, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1
    return (
        clean,
        torch.randn(6, 1, 8, 8, generator=generator, dtype=torch.float64),
        torch.tensor([0, 1, 10, 500, 998, 999]),
    )


def test_schedule_is_the_papers():
    betas = 1 - SCHEDULE.alpha_bar[1:] / SCHEDULE.alpha_bar[:-1]
    assert SCHEDULE.timesteps == 1000
    assert float(1 - SCHEDULE.alpha_bar[0]) == pytest.approx(1e-4)
    assert float(betas[-1]) == pytest.approx(2e-2)
    assert torch.allclose(betas.diff(), betas.diff()[0].expand(998), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_prediction_gives_back_slice_and_noise(kind):
    clean, noise, t = _example()
    noisy = add_noise(SCHEDULE, clean, noise, t)
    got_clean, got_noise = split(SCHEDULE, kind, target(SCHEDULE, kind, clean, noise, t), noisy, t)
    torch.testing.assert_close(got_clean, clean, atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(got_noise, noise, atol=1e-6, rtol=1e-6)


def test_an_error_in_epsilon_is_multiplied_by_158_at_the_last_step():
    clean, noise, t = _example()
    noisy = add_noise(SCHEDULE, 0.0 * clean, noise, t)
    got, _ = split(SCHEDULE, "epsilon", noise + 1e-4, noisy, t)
    assert float(got[-1].abs().mean()) == pytest.approx(157.4e-4, rel=0.01)


def test_time_steps_start_at_pure_noise_and_end_near_the_slice():
    assert trailing_timesteps(1000, 50)[:3] == [999, 979, 959]
    assert trailing_timesteps(1000, 50)[-1] == 19
    assert trailing_timesteps(1000, 1) == [999]
    assert trailing_timesteps(1000, 1000) == list(range(999, -1, -1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_ddim_with_an_oracle_reaches_the_slice(kind, steps):
    """A network that always knows the slice leads there in any number of steps."""
    clean, noise, _ = _example()

    def oracle(x, t):
        signal = SCHEDULE.alpha_bar[t][:, None, None, None].sqrt()
        agreeing = (x - signal * clean) / (1 - signal**2).sqrt()
        return target(SCHEDULE, kind, clean, agreeing, t)

    torch.testing.assert_close(ddim(SCHEDULE, kind, oracle, noise, steps), clean, atol=1e-6, rtol=0)


def test_ddim_is_deterministic_at_eta_0_and_random_above():
    _, noise, _ = _example()
    network = lambda x, t: 0.5 * x  # noqa: E731

    def run(eta: float, seed: int):
        return ddim(SCHEDULE, "epsilon", network, noise, 10, eta, torch.Generator().manual_seed(seed))

    assert torch.equal(run(0.0, 1), run(0.0, 2))
    assert torch.equal(run(1.0, 1), run(1.0, 1))
    assert not torch.allclose(run(1.0, 1), run(1.0, 2))
