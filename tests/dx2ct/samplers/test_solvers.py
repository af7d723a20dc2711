"""Laws of the solvers, on distributions whose best denoiser is known: those of all solvers hold for a new one, too."""

import math

import pytest
import torch

from dx2ct.samplers import SOLVERS
from dx2ct.samplers.ddim import ddim
from dx2ct.samplers.diffusion import agreeing_noise, linear_schedule, Schedule
from dx2ct.samplers.dpm import dpm

MEAN, DEVIATION = 0.3, 0.1


def schedule_of(timesteps: int) -> Schedule:
    """The paper's process, cut into so many steps."""
    scale = 1000 / timesteps
    return linear_schedule(timesteps, 1e-4 * scale, 2e-2 * scale)


def gaussian(schedule: Schedule):
    """The best x0 of slices whose pixels are N(MEAN, DEVIATION²)."""

    def network(x, t):
        bar = schedule.alpha_bar[t][:, None, None, None].to(x)
        gain = bar.sqrt() * DEVIATION**2 / (bar * DEVIATION**2 + 1 - bar)
        return MEAN + gain * (x - bar.sqrt() * MEAN)

    return network


def exact(schedule: Schedule, noise: torch.Tensor, last: int) -> torch.Tensor:
    """Where the probability flow leads from noise at the last time step down to `last`: the same quantile there."""
    start, end = (float(schedule.alpha_bar[t]) for t in (schedule.timesteps - 1, last))
    spread = lambda bar: math.sqrt(bar * DEVIATION**2 + 1 - bar)  # noqa: E731
    quantile = (noise - math.sqrt(start) * MEAN) / spread(start)
    x = math.sqrt(end) * MEAN + quantile * spread(end)
    return gaussian(schedule)(x, torch.full((len(x),), last))  # what a solver's last step gives: the clean estimate


NOISE = torch.linspace(-2, 2, 64, dtype=torch.float64).reshape(1, 1, 8, 8)


def error_of(solver, steps: int) -> float:
    """With log(signal / noise) falling evenly, in time steps so fine that they are continuous."""
    log_ratio = torch.linspace(4, -4, 32000, dtype=torch.float64)
    schedule = Schedule(torch.sigmoid(2 * log_ratio))
    result = solver(schedule, "x0", gaussian(schedule), NOISE, steps)
    last = round(31999 - (steps - 1) * 32000 / steps)
    return float((result - exact(schedule, NOISE, last)).abs().max())


def test_dpm_and_ddim_lead_to_the_same_place():
    schedule = schedule_of(32000)
    found = [[solver(schedule, "x0", gaussian(schedule), NOISE, n) for solver in (ddim, dpm)] for n in (100, 3200)]
    apart = [float((a - b).abs().max()) for a, b in found]
    assert apart[1] < 0.2 * apart[0]
    assert float(found[1][1].std()) > 0.05, "not the mean: samples differ"


def test_ddim_is_of_first_order_and_dpm_of_second():
    orders = {}
    for solver in (ddim, dpm):
        errors = [error_of(solver, steps) for steps in (40, 80)]
        orders[solver.__name__] = math.log2(errors[0] / errors[1])
    assert orders["ddim"] == pytest.approx(1, abs=0.2)
    assert orders["dpm"] == pytest.approx(2, abs=0.35)


def test_ten_steps_of_dpm_are_nearer_than_ten_of_ddim():
    assert error_of(dpm, 10) < 0.7 * error_of(ddim, 10)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_leads_where_the_probability_flow_does(name: str):
    """Nearer with more steps: at a hundred within a tenth of the deviation."""
    few, many = (error_of(SOLVERS[name].load(), steps) for steps in (10, 100))
    assert many < few and many < 0.1 * DEVIATION


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_with_an_oracle_reaches_the_slice(name: str):
    schedule, clean = schedule_of(1000), 0.4 * NOISE
    for steps in (1, 2, 7):
        found = SOLVERS[name].load()(schedule, "x0", lambda x, t: clean, NOISE, steps)
        torch.testing.assert_close(found, clean, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_that_takes_eta_draws_its_noise_from_the_generator_alone(name: str):
    solver, schedule = SOLVERS[name], schedule_of(1000)

    def run(eta: float, seed: int) -> torch.Tensor:
        torch.manual_seed(seed + 17)
        drawn = torch.Generator().manual_seed(seed)
        return solver.load()(schedule, "x0", gaussian(schedule), NOISE, 5, eta, drawn)

    assert torch.equal(run(0.0, 1), run(0.0, 2))
    if solver.takes_eta:
        assert torch.equal(run(1.0, 1), run(1.0, 1)) and not torch.allclose(run(1.0, 1), run(1.0, 2))


@pytest.mark.parametrize("name", SOLVERS)
def test_the_estimate_that_is_revised_is_the_one_that_is_used(name: str):
    solver, schedule = SOLVERS[name].load(), schedule_of(1000)
    seen = []

    def revise(clean):
        seen.append(clean)
        return torch.full_like(clean, 0.25)

    result = solver(schedule, "x0", gaussian(schedule), NOISE, 5, revise=revise)
    assert len(seen) == 5 and torch.equal(result, torch.full_like(NOISE, 0.25))


@pytest.mark.parametrize("name", SOLVERS)
def test_a_revision_that_changes_nothing_changes_nothing(name: str):
    solver, schedule = SOLVERS[name].load(), schedule_of(1000)
    plain = solver(schedule, "x0", gaussian(schedule), NOISE, 5)
    assert torch.equal(solver(schedule, "x0", gaussian(schedule), NOISE, 5, revise=lambda clean: clean), plain)


def test_noise_agrees_with_the_revised_slice():
    schedule = schedule_of(1000)
    t = torch.tensor([500])
    bar = float(schedule.alpha_bar[500])
    clean = 0.5 * NOISE
    x = bar**0.5 * clean + (1 - bar) ** 0.5 * NOISE
    torch.testing.assert_close(agreeing_noise(schedule, x, clean, t), NOISE, atol=1e-6, rtol=0)
