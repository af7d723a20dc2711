"""What a training costs on this machine: parameters, operations, memory, speed, and where the time goes."""

from dataclasses import asdict, dataclass, replace
import json
from pathlib import Path
import tempfile
import time
from typing import Any

import torch

from drr.errors import InputError
from dx2ct.methods.base import Method
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.single_pass import SinglePass
from dx2ct.profiling.parts import Meter, parameters
from dx2ct.profiling.rehearsal import operations, Rehearsal
from dx2ct.profiling.single_pass import profile_single_pass, single_pass_text, SinglePassProfile
from dx2ct.profiling.stopwatch import clock, device_name, peak_memory_mb, step_seconds

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
RATE_S = 0.5  # how long the matrix rate is measured


@dataclass(frozen=True)
class Profile:
    """Of one run's training; memory is the GPU's, on a CPU that of the whole process at its largest."""

    device: str
    threads: int
    precision: str
    batch: int
    slices_per_patient: int
    parameters: dict[str, int]
    forward_flop: dict[str, int]
    backward_flop: dict[str, int]
    peak_memory_mb: float
    steps_per_s: float
    matmul_flop_per_s: float
    utilisation: float | None
    time_shares: dict[str, float]
    hours_of_all_steps: float


def profile(
    method: Method, settings: Any, device: torch.device, precision: str, batch: int, steps: int
) -> Profile | SinglePassProfile:
    """Measure `steps` steps of a run on scans of noise; batch 0 takes the settings' own.

    Utilisation is the operations that the network needs, over those that the device does in matrix products of the same
    precision in the same time. Raises InputError for a method without steps and for a batch that does not divide.
    """
    precision = chosen_precision(precision, device)
    implementation = method.implement()
    if isinstance(implementation, SinglePass):
        return profile_single_pass(implementation, settings, device, precision, batch, steps)
    if not isinstance(settings, Dx2ctSettings):
        raise InputError(f"method {method.name} is not trained step by step: there is nothing to profile")
    parsed = _with_batch(settings, batch)
    flop = operations(parsed)
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = Rehearsal(parsed, Path(folder), device, DTYPES[precision])
        seconds = step_seconds(rehearsal.step, device, steps)
        peak = peak_memory_mb(device)
        shares = _shares(rehearsal, steps)
    rate, float32_rate = (matmul_rate(device, DTYPES[name]) for name in (precision, "float32"))
    return Profile(
        device=device_name(device),
        threads=torch.get_num_threads(),
        precision=precision,
        batch=parsed.train.batch,
        slices_per_patient=parsed.train.slices_per_patient,
        parameters=parameters(rehearsal.model),
        forward_flop={part: n for (part, direction), n in flop.items() if direction == "forward"},
        backward_flop={part: n for (part, direction), n in flop.items() if direction == "backward"},
        peak_memory_mb=peak,
        steps_per_s=1 / seconds,
        matmul_flop_per_s=rate,
        utilisation=utilisation(sum(flop.values()) / seconds, rate, float32_rate),
        time_shares=shares,
        hours_of_all_steps=parsed.train.steps * seconds / 3600,
    )


def _with_batch(settings: Dx2ctSettings, batch: int) -> Dx2ctSettings:
    if batch % settings.train.slices_per_patient:
        raise InputError(
            f"batch {batch} is no multiple of train.slices_per_patient {settings.train.slices_per_patient}"
        )
    return replace(settings, train=replace(settings.train, batch=batch)) if batch else settings


def chosen_precision(precision: str, device: torch.device) -> str:
    """auto is bf16 on a GPU and float32 on a CPU."""
    if precision not in ("auto", *DTYPES):
        raise InputError(f"unknown precision {precision!r}; known: auto, {', '.join(DTYPES)}")
    return precision if precision != "auto" else "bf16" if device.type == "cuda" else "float32"


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of the fastest product of two large square matrices."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best, end = float("inf"), time.perf_counter() + RATE_S
    a @ b
    while time.perf_counter() < end or best == float("inf"):
        start = clock(device)
        a @ b
        best = min(best, clock(device) - start)
    return 2 * side**3 / best


def utilisation(done: float, rate: float, float32_rate: float) -> float | None:
    """Operations a second over the matrix rate of the same precision; None where that is no bound.

    A CPU without bfloat16 instructions emulates its products, slower than it does those of float32.
    """
    return done / rate if rate > float32_rate / 2 else None


def _shares(rehearsal: Rehearsal, steps: int) -> dict[str, float]:
    """Part of a step's time that each part takes, forward and backward together."""
    rehearsal.step_by_parts(0, Meter(lambda: 0.0))
    meter = Meter(lambda: clock(rehearsal.device))
    for step in range(steps):
        rehearsal.step_by_parts(step, meter)
    total = sum(meter.sums.values())
    shares: dict[str, float] = {}
    for (part, _), seconds in meter.sums.items():
        shares[part] = shares.get(part, 0.0) + seconds / total
    return shares


def to_json(result: Profile | SinglePassProfile) -> str:
    """The profile as JSON."""
    return json.dumps(asdict(result), indent=2) + "\n"


def to_text(result: Profile | SinglePassProfile) -> str:
    """The profile as a page for a terminal."""
    if isinstance(result, SinglePassProfile):
        return single_pass_text(result)
    forward, backward = sum(result.forward_flop.values()), sum(result.backward_flop.values())
    total = forward + backward
    lines = [
        f"{result.device}, {result.threads} CPU threads, {result.precision}, scans of noise",
        f"parameters     {sum(result.parameters.values()) / 1e6:10.2f} M      {_parts(result.parameters, 1e6, '.2f')}",
        f"forward        {forward / 1e9:10.2f} GFLOP  {_parts(result.forward_flop, 1e9, '.2f')}",
        f"backward       {backward / 1e9:10.2f} GFLOP  {_parts(result.backward_flop, 1e9, '.2f')}",
        f"batch          {result.batch:10d}        {result.slices_per_patient} slices a patient",
        f"peak memory    {result.peak_memory_mb:10.0f} MB",
        f"speed          {result.steps_per_s:10.3f} steps/s, {result.steps_per_s * result.batch:.2f} slices/s",
        f"all steps      {result.hours_of_all_steps:10.2f} hours",
        f"rate           {total * result.steps_per_s / 1e9:10.1f} GFLOP/s, {_utilised(result)}",
        f"time           {_parts(result.time_shares, 0.01, '.1f')} (%)",
    ]
    return "\n".join(lines)


def _parts(values: dict[str, int] | dict[str, float], unit: float, form: str) -> str:
    return ", ".join(f"{name} {value / unit:{form}}" for name, value in values.items())


def _utilised(result: Profile) -> str:
    rate = f"{result.matmul_flop_per_s / 1e9:.1f} GFLOP/s"
    if result.utilisation is None:
        return f"no bound is known: {result.precision} is emulated here ({rate} in matrix products)"
    return f"{100 * result.utilisation:.1f} % of the {rate} of matrix products here"
