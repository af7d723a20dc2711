"""How many slices at once, and what of their conditions is kept: what fits under a bound of memory.

On a CPU the bound is that of the whole process, as the operating system counts it (resident memory), on a GPU that of
what PyTorch has allocated there. The need of a slice is measured on one slice of the network itself.
"""

from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from drr.errors import InputError
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.slices import Keep

MB = 2**20
SCRATCH = 1.5  # of live tensors: what convolutions and products need beside them, and fragments
UNBOUND_SHARE = 0.8  # of the memory that is free, where no bound is given


@dataclass(frozen=True)
class Plan:
    """Slices (times samples) at once, and what of the conditions of all slices is kept between steps."""

    batch: int
    keep: Keep


def plan(model: DX2CT, xrays: Tensor, coordinates: Tensor, most: int, samples: int, max_memory_mb: int = 0) -> Plan:
    """The largest batch up to `most` that fits. InputError, saying what is needed, where not even one slice does.

    xrays: (1, view, H, W). coordinates: (plane, slice, N, N, 3). max_memory_mb: 0 takes most of what is free.
    """
    kept, working = need_of_a_slice(model, xrays, coordinates)
    slices, size = coordinates.shape[:2].numel(), coordinates.shape[2]
    fixed = used(xrays.device) + 8 * 4 * samples * slices * size**2  # a solver's states, estimates and noise
    bound = _bound(xrays.device, max_memory_mb)
    for keep in ("modulation", "maps", "nothing"):
        left = bound - fixed - kept[keep] * slices
        batch = int(left / (SCRATCH * working)) // samples * samples
        # What is computed again costs more than small batches do.
        if batch >= (samples if keep == "nothing" else min(8 * samples, most)):
            return Plan(min(batch, max(most, samples)), keep)
    least = (fixed + SCRATCH * working * samples) / MB
    raise InputError(
        f"memory: {bound / MB:.0f} MB are allowed, one slice at a time takes about {least:.0f}: allow more"
    )


def need_of_a_slice(model: DX2CT, xrays: Tensor, coordinates: Tensor) -> tuple[dict[Keep, float], float]:
    """Bytes of one slice to keep, and of all that is alive at the worst moment of making or using its conditions."""
    size = coordinates.shape[2]
    x, t = xrays.new_zeros(1, 1, size, size), torch.zeros(1, dtype=torch.long, device=xrays.device)
    with torch.no_grad():
        encoded: Any = model.encode_xrays(xrays)
        with _Live() as live:
            maps = model.conditions.condition_maps(encoded, coordinates[:1, :1])
            modulation = model.modulation(maps)
            model.unet(x, t, modulation)
    sizes = {tensor.untyped_storage().data_ptr(): tensor.nbytes for block in modulation for tensor in block}
    kept: dict[Keep, float] = {"modulation": sum(sizes.values()), "maps": sum(m.nbytes for m in maps), "nothing": 0.0}
    return kept, float(live.peak)


def used(device: torch.device) -> int:
    """Bytes in use now."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _bound(device: torch.device, max_memory_mb: int) -> float:
    if max_memory_mb:
        return max_memory_mb * MB
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return used(device) + UNBOUND_SHARE * free


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes of tensors, made in here, that were alive at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes: dict[Any, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._born(tensor.untyped_storage())
        return result

    def _born(self, storage: torch.UntypedStorage) -> None:
        mark = ref(storage, self._died)
        if mark not in self.sizes:
            self.sizes[mark] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)

    def _died(self, mark: Any) -> None:
        self.now -= self.sizes.pop(mark, 0)
