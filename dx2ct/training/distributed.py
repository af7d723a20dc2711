"""One training on several processes, as torchrun starts them: one process a GPU, or gloo on CPUs.

Outside of torchrun there is one process, rank 0, and every function here does nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
import os

import torch
from torch import distributed, nn
from tqdm import tqdm

from drr.errors import InputError


def rank() -> int:
    """The number of this process; only rank 0 writes files and draws the progress bar."""
    return distributed.get_rank() if _joined() else 0


def world() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _joined() else 1


def local_rank() -> int:
    """The number of this process on its machine, which is the number of its GPU (torchrun's LOCAL_RANK)."""
    return int(os.environ.get("LOCAL_RANK", 0))


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """Join the other processes that torchrun has started, if any, for as long as this lasts."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or "LOCAL_RANK" not in os.environ:
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def together(model: nn.Module, device: torch.device) -> nn.Module:
    """The network whose gradients are averaged over all processes; the same network where there is one.

    Batch norm takes its statistics over all GPUs, so that their number changes nothing; CPUs have no such layer.
    """
    if world() == 1:
        return model
    if any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()) and device.type != "cuda":
        raise InputError(
            "batch norm over several processes needs GPUs: set model.encoder.norm: group if the model has it, or use "
            "one process"
        )
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    ids = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)


def exchanged(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Around forward and backward of one part of a step: all processes average their gradients with the last one."""
    if isinstance(network, nn.parallel.DistributedDataParallel) and not last:
        context: AbstractContextManager[None] = network.no_sync()
        return context
    return nullcontext()


def say(text: str) -> None:
    """A line for the user, once, above the progress bar."""
    if rank() == 0:
        tqdm.write(text)


def sum_over_ranks(values: Sequence[float], device: torch.device) -> list[float]:
    """Each value summed over all processes; every process must call this at the same step."""
    if world() == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    summed: list[float] = total.tolist()
    return summed


def all_at_the_same_step(step: int, device: torch.device) -> None:
    """Raise InputError where the processes have resumed at different steps: their folders are not one folder."""
    if world() == 1:
        return
    steps = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(world())]
    distributed.all_gather(steps, torch.tensor([step], device=device))
    found = sorted({int(value) for value in steps})
    if len(found) > 1:
        raise InputError(f"processes resumed at steps {found}: the output folder must be one that all machines share")


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()
