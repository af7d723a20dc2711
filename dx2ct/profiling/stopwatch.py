"""Seconds and memory of work on a device."""

from collections.abc import Callable
import platform
import resource
from statistics import median
import time

import torch

from drr.progress import each

WARM_UP = 2


def clock(device: torch.device) -> float:
    """Seconds, when the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def step_seconds(step: Callable[[int], None], device: torch.device, steps: int) -> float:
    """Median seconds of a step after a warm-up."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for number in each(range(WARM_UP + steps), "profile", "step"):
        start = clock(device)
        step(number)
        seconds.append(clock(device) - start)
    return median(seconds[WARM_UP:])


def peak_memory_mb(device: torch.device) -> float:
    """The GPU's; on a CPU that of the whole process at its largest."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def device_name(device: torch.device) -> str:
    """For people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {platform.machine()}"
