"""Batches of DX2CT: which slices of which patients at which noise, decided by (seed, step) alone.

Because nothing is remembered between steps, a resumed training sees exactly the batches of an undisturbed one.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.errors import InputError
from dx2ct.config import Dx2ctSettings, OptimizerSettings
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import to_network
from dx2ct.methods.layers.positions import cube_coordinates


@dataclass(frozen=True)
class Batch:
    """One step's examples, patient-major.

    xrays (patient, view, H, W) in [0, 1]; coordinates (patient, slice, N, N, 3); slices and noise
    (patient slice, 1, N, N); t (patient slice,).
    """

    xrays: Tensor
    coordinates: Tensor
    slices: Tensor
    noise: Tensor
    t: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))

    def pinned(self) -> "Batch":
        """The batch in memory from which a GPU copies while it computes."""
        return Batch(*(getattr(self, name).pin_memory() for name in self.__dataclass_fields__))


class TrainingData:
    """X-rays of all scans in memory, slices memory-mapped, coordinates of every plane."""

    def __init__(self, settings: Dx2ctSettings, scans: Sequence[str], data: Path) -> None:
        size, train = settings.slices.size, settings.train
        require_whole_patients(train)
        self.settings = settings
        self.stacks = [{plane: read_stack(data, scan, plane, size) for plane in PLANES} for scan in scans]
        views, pixels = settings.run.views, settings.model.xray_pixels
        self.xrays = torch.from_numpy(np.stack([read_xrays(data, scan, views, pixels) for scan in scans]))
        self.coordinates = plane_coordinates(size)

    @property
    def sharing(self) -> OptimizerSettings:
        """How a batch is divided."""
        return self.settings.train

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """The batch of one step, or one of its equal parts: uniform over patients, planes, slices and time steps.

        The parts together are the whole, so a step is the same on any number of processes.
        """
        train, size = self.settings.train, self.settings.slices.size
        chooser = np.random.default_rng((train.seed, step))
        patients, planes, numbers = draw_slices(chooser, train, len(self.stacks), size)
        generator = torch.Generator().manual_seed(int(chooser.integers(2**62)))
        noise = torch.randn((train.batch, 1, size, size), generator=generator)
        t = torch.randint(self.settings.diffusion.timesteps, (train.batch,), generator=generator)
        mine, images = (slice(n * part // parts, n * (part + 1) // parts) for n in (len(patients), train.batch))
        patients, planes, numbers = patients[mine], planes[mine], numbers[mine]
        slices = [
            self.stacks[patient][PLANES[plane]][number]
            for patient, row in zip(patients, np.stack([planes, numbers], -1), strict=True)
            for plane, number in row
        ]
        return Batch(
            xrays=self.xrays[torch.from_numpy(patients)],
            coordinates=self.coordinates[torch.from_numpy(planes), torch.from_numpy(numbers)],
            slices=torch.from_numpy(to_network(np.stack(slices)))[:, None],
            noise=noise[images],
            t=t[images],
        )


class Movable(Protocol):
    """A batch, as the loader handles it."""

    def to(self, device: torch.device) -> Self:
        """The batch on another device."""

    def pinned(self) -> Self:
        """The batch in memory from which a GPU copies while it computes."""


class Sharing(Protocol):
    """Of the settings of any method, how its batches are divided."""

    @property
    def batch(self) -> int:
        """Examples of a step."""

    @property
    def accumulate(self) -> int:
        """Parts of a process's share."""

    @property
    def slices_per_patient(self) -> int:
        """Examples that can not be parted."""


def require_whole_patients(sharing: Sharing) -> None:
    """InputError for a batch that is not so many slices of every one of its patients."""
    if sharing.batch % sharing.slices_per_patient:
        raise InputError(
            f"train.batch {sharing.batch} is no multiple of train.slices_per_patient {sharing.slices_per_patient}"
        )


def draw_slices(
    chooser: np.random.Generator, sharing: Sharing, patients: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of a whole batch, uniformly: patients (patient,), none twice while there are enough; planes and slice numbers
    (patient, slice)."""
    each = sharing.slices_per_patient
    count = sharing.batch // each
    chosen = chooser.choice(patients, count, replace=count > patients)
    return chosen, chooser.integers(len(PLANES), size=(count, each)), chooser.integers(size, size=(count, each))


B = TypeVar("B", bound=Movable, covariant=True)


class Examples(Protocol[B]):
    """Training examples, decided by (step, part, parts) alone."""

    @property
    def sharing(self) -> Sharing:
        """How a batch is divided."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> B:
        """One of the equal parts of a step's batch."""


class Batches(Generic[B]):
    """The parts of every step that are one process's, the next one made while a GPU computes.

    rank of world processes; every step is divided into `accumulate` parts of each.
    """

    def __init__(self, data: Examples[B], device: torch.device, rank: int, world: int) -> None:
        train = data.sharing
        self.data, self.device, self.rank = data, device, rank
        self.accumulate, self.parts = train.accumulate, train.accumulate * world
        groups = train.batch // train.slices_per_patient
        if groups % self.parts:
            raise InputError(
                f"train.batch {train.batch} is {groups} groups of slices_per_patient, which {world} process(es) x "
                f"accumulate {train.accumulate} can not share equally"
            )
        self.worker = ThreadPoolExecutor(1) if device.type == "cuda" else None
        self.ahead: tuple[tuple[int, int], Future[B]] | None = None

    def get(self, step: int, part: int) -> B:
        """Part `part` of this process's share of a step, on the device."""
        if self.worker is None:
            return self._make(step, part)
        batch = self.ahead[1].result() if self.ahead and self.ahead[0] == (step, part) else self._make(step, part)
        following = (step, part + 1) if part + 1 < self.accumulate else (step + 1, 0)
        self.ahead = (following, self.worker.submit(self._make, *following))
        return batch.to(self.device)

    def _make(self, step: int, part: int) -> B:
        batch = self.data.batch(step, self.rank * self.accumulate + part, self.parts)
        return batch.pinned() if self.worker else batch


def seeded(seed: int, step: int, part: int, rank: int) -> None:
    """Seed the generator that dropout draws from: as the batches, it remembers nothing between steps."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, part, rank)).generate_state(1, np.uint64)[0]))


def fingerprint(scans: Sequence[str], data: Path) -> str:
    """The scans and the state of their files: a training must not be resumed on other data of the same names."""
    files = [path for scan in scans for kind in ("slices", "xrays") for path in sorted((data / kind / scan).iterdir())]
    stats = [(str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return sha256(repr((list(scans), stats)).encode()).hexdigest()


def plane_coordinates(size: int) -> Tensor:
    """Coordinates of every slice of every plane, (plane, slice, row, column, 3), planes in the order of PLANES."""
    cube: NDArray[np.float32] = cube_coordinates(size)
    return torch.from_numpy(np.stack([to_plane(cube, plane) for plane in PLANES]))
