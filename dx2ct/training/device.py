"""Where PyTorch computes: the device and the CPU threads of this process."""

import os

import torch

from drr.errors import InputError
from dx2ct.training.distributed import local_rank


def set_up_torch(device: str, threads: int) -> torch.device:
    """Choose the device (auto takes a GPU where there is one) and the number of CPU threads (0 = all).

    Of several processes that torchrun has started each takes the GPU of its own number, and its part of the threads.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device {device!r}; known: auto, cpu, cuda")
    if threads < 0:
        raise InputError(f"threads is {threads}: a number of CPU threads, or 0 for all")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but PyTorch sees no GPU here: use --device cpu")
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    torch.set_num_threads(max(min(threads or here, here) // beside, 1))  # more threads than cores wait for each other
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank() >= torch.cuda.device_count():
        raise InputError(f"process {local_rank()} has no GPU: torchrun was asked for more than the machine's")
    torch.cuda.set_device(local_rank())
    return torch.device("cuda", local_rank())
