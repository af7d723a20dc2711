"""DX2CT's examples: slices of patients at random noise levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dx2ct.data.planes import plane_coordinates, PLANES
from dx2ct.data.scans import as_seen, read_stack, read_xrays
from dx2ct.data.window import to_network
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.training.batches import draw_slices, Examples, TensorBatch


@dataclass(frozen=True)
class Batch(TensorBatch):
    """One step's examples, patient-major.

    xrays (patient, view, H, W) in [0, 1]; coordinates (patient, slice, N, N, 3); slices and noise
    (patient slice, 1, N, N); t (patient slice,).
    """

    xrays: Tensor
    coordinates: Tensor
    slices: Tensor
    noise: Tensor
    t: Tensor


class TrainingData(Examples[Batch]):
    """X-rays of all scans in memory, slices memory-mapped, coordinates of every plane."""

    def __init__(self, settings: Dx2ctSettings, scans: Sequence[str], data: Path) -> None:
        size, views = settings.slices.size, settings.run.views
        self.settings, self.train = settings, settings.train
        self.stacks = [{plane: read_stack(data, scan, plane, size) for plane in PLANES} for scan in scans]
        seen = [as_seen(read_xrays(data, scan, views), views, size) for scan in scans]
        self.xrays = torch.from_numpy(np.stack(seen))
        self.coordinates = torch.from_numpy(plane_coordinates(size))

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """The batch of one step, or one of its equal parts: uniform over patients, planes, slices and time steps.

        The parts together are the whole, so a step is the same on any number of processes.
        """
        train, size = self.train, self.settings.slices.size
        chooser = np.random.default_rng((train.seed, step))
        patients, planes, numbers = draw_slices(chooser, train, len(self.stacks), size)
        generator = torch.Generator().manual_seed(int(chooser.integers(2**62)))
        noise = torch.randn((train.batch, 1, size, size), generator=generator)
        last = self.settings.diffusion.timesteps
        t = torch.randint(last, (train.batch,), generator=generator)
        if self.settings.train.last_step_share:
            pure = torch.rand(train.batch, generator=generator) < self.settings.train.last_step_share
            t = torch.where(pure, last - 1, t)
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
