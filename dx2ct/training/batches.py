"""Batches: which examples a step sees is decided by (seed, step) alone.

Because nothing is remembered between steps, a resumed training sees exactly the batches of an undisturbed one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import TrainSettings
from dx2ct.layout import PLANES


class TensorBatch:
    """A frozen dataclass of tensors, or of tuples of tensors, that moves as one."""

    def to(self, device: torch.device) -> Self:
        """The batch on another device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Self:
        """The batch in memory from which a GPU copies while it computes."""
        return self._mapped(Tensor.pin_memory)

    def _mapped(self, move: Callable[[Tensor], Tensor]) -> Self:
        def moved(value: Any) -> Any:
            return tuple(map(move, value)) if isinstance(value, tuple) else move(value)

        return type(self)(*(moved(getattr(self, field.name)) for field in fields(self)))  # type: ignore[arg-type]


B = TypeVar("B", bound=TensorBatch, covariant=True)


class Examples(ABC, Generic[B]):
    """Training examples, decided by (step, part, parts) alone."""

    train: TrainSettings

    @abstractmethod
    def batch(self, step: int, part: int = 0, parts: int = 1) -> B:
        """One of the equal parts of a step's batch; the parts together are the whole on any number of processes."""


def draw_slices(
    chooser: np.random.Generator, train: TrainSettings, patients: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of a whole batch, uniformly: patients (patient,), none twice while there are enough; planes and slice numbers
    (patient, slice)."""
    each = train.slices_per_patient
    count = train.batch // each
    chosen = chooser.choice(patients, count, replace=count > patients)
    return chosen, chooser.integers(len(PLANES), size=(count, each)), chooser.integers(size, size=(count, each))


class Batches(Generic[B]):
    """The parts of every step that are one process's, the next ones made while the network computes.

    rank of world processes; every step is divided into `accumulate` parts of each. loaders: threads that make the next
    parts, as many ahead; 0: none. What a part holds is the same with any number of them.
    """

    def __init__(self, data: "Examples[B]", device: torch.device, rank: int, world: int, loaders: int = 1) -> None:
        train = data.train
        self.data, self.device, self.rank = data, device, rank
        self.accumulate, self.parts = train.accumulate, train.accumulate * world
        groups = train.batch // train.slices_per_patient
        if groups % self.parts:
            raise InputError(
                f"train.batch {train.batch} is {groups} groups of slices_per_patient, which {world} process(es) x "
                f"accumulate {train.accumulate} cannot share equally"
            )
        self.loaders = loaders if device.type == "cuda" or train.augment.changes else 0
        self.pool = ThreadPoolExecutor(max(self.loaders, 1))
        self.ahead: dict[tuple[int, int], Future[B]] = {}
        self.begun = False

    def get(self, step: int, part: int) -> B:
        """Part `part` of this process's share of a step, on the device."""
        ready = self.ahead.pop((step, part), None)
        following = step, part
        # Nothing is made ahead at the first call: while kernels are recorded no other thread may use the GPU.
        ahead, self.begun = self.loaders if self.begun else 0, True
        for _ in range(ahead):
            step_, part_ = following
            following = (step_, part_ + 1) if part_ + 1 < self.accumulate else (step_ + 1, 0)
            if following not in self.ahead:
                self.ahead[following] = self.pool.submit(self._make, *following)
        return (ready.result() if ready else self._make(step, part)).to(self.device)

    def _make(self, step: int, part: int) -> B:
        batch = self.data.batch(step, self.rank * self.accumulate + part, self.parts)
        return batch.pinned() if self.device.type == "cuda" else batch


def seeded(seed: int, step: int, part: int, rank: int) -> None:
    """Seed the generator that dropout draws from: as the batches, it remembers nothing between steps."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, part, rank)).generate_state(1, np.uint64)[0]))


def fingerprint(scans: Sequence[str], data: Path, volumes: bool = False) -> str:
    """The scans and the state of their files: a training must not be resumed on other data of the same names.

    volumes: theirs, too.
    """
    files = [path for scan in scans for kind in ("slices", "xrays") for path in sorted((data / kind / scan).iterdir())]
    files += [layout.volume(data, scan) for scan in scans] if volumes else []
    stats = [(str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return sha256(repr((list(scans), stats)).encode()).hexdigest()
