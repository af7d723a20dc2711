"""What a method with one forward pass costs: parameters, operations, speed and memory of training."""

from dataclasses import dataclass, replace
from pathlib import Path
import tempfile
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dx2ct.methods.single_pass import SinglePass
from dx2ct.profiling.noise_scans import fabricate_scans
from dx2ct.profiling.stopwatch import device_name, peak_memory_mb, step_seconds
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training

MOST_SCANS = 8  # of noise


@dataclass(frozen=True)
class SinglePassProfile:
    """Of one run; memory is the GPU's, on a CPU that of the whole process at its largest."""

    device: str
    threads: int
    precision: str
    batch: int
    parameters: dict[str, int]
    discriminator_parameters: int
    reconstruction_flop: int
    peak_memory_mb: float
    steps_per_s: float
    slices_per_s: float
    hours_of_all_steps: float


def profile_single_pass(
    method: SinglePass[Any, Any], settings: Any, device: torch.device, precision: str, batch: int, steps: int
) -> SinglePassProfile:
    """Measure `steps` steps of a training on scans of noise; batch 0 takes the settings' own."""
    train = replace(settings.train, batch=batch or settings.train.batch, precision=precision)
    settings = replace(
        settings, train=replace(train, validation=replace(train.validation, every=0, patience=0, keep="last"))
    )
    parameters, discriminator, flop = costs(method, settings)
    with tempfile.TemporaryDirectory() as folder:
        scans = [f"noise-{i}" for i in range(min(max(train.batch // train.slices_per_patient, 1), MOST_SCANS))]
        fabricate_scans(scans, settings.run.views, settings.slices.size, Path(folder))
        learned = method.build(settings, {"train": scans, "validation": []}, Path(folder), Runtime(device))
        training = Training(learned.model, settings.train, "rehearsal", discriminator=learned.discriminator)
        seconds = step_seconds(lambda step: training.update(*learned.losses(step)), device, steps)
        peak = peak_memory_mb(device)
    return SinglePassProfile(
        device=device_name(device),
        threads=torch.get_num_threads(),
        precision=precision,
        batch=train.batch,
        parameters=parameters,
        discriminator_parameters=discriminator,
        reconstruction_flop=flop,
        peak_memory_mb=peak,
        steps_per_s=1 / seconds,
        slices_per_s=train.batch * learned.slices / seconds,
        hours_of_all_steps=train.steps * seconds / 3600,
    )


def costs(method: SinglePass[Any, Any], settings: Any) -> tuple[dict[str, int], int, int]:
    """Parameters by part, those of the discriminator, and operations of one reconstruction, from shapes alone: matrix
    products and convolutions, a multiplication and an addition counted as two."""
    with torch.device("meta"):
        network: nn.Module = method.network(settings).to("meta").eval()  # buffers made of arrays, too
        discriminator = method.discriminator(settings)
        times, inputs = method.passes(settings)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(*inputs)
    parameters = {name: count(part) for name, part in network.named_children() if count(part)}
    if own := count(network) - sum(parameters.values()):
        parameters["own"] = own
    return parameters, count(discriminator) if discriminator else 0, times * int(counter.get_total_flops())


def count(network: nn.Module) -> int:
    """Its parameters."""
    return sum(p.numel() for p in network.parameters())


def single_pass_text(result: SinglePassProfile) -> str:
    """The profile as a page for a terminal."""
    parts = ", ".join(f"{name} {value / 1e6:.2f}" for name, value in result.parameters.items())
    return "\n".join(
        [
            f"{result.device}, {result.threads} CPU threads, {result.precision}, scans of noise",
            f"parameters     {sum(result.parameters.values()) / 1e6:10.2f} M      {parts}",
            f"discriminator  {result.discriminator_parameters / 1e6:10.2f} M",
            f"reconstruction {result.reconstruction_flop / 1e9:10.2f} GFLOP",
            f"batch          {result.batch:10d}",
            f"peak memory    {result.peak_memory_mb:10.0f} MB",
            f"speed          {result.steps_per_s:10.3f} steps/s, {result.slices_per_s:.2f} slices/s",
            f"all steps      {result.hours_of_all_steps:10.2f} hours",
        ]
    )
