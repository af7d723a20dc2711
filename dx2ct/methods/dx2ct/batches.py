"""DX2CT's examples: slices of patients at random noise levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dx2ct.data.planes import plane_coordinates, PLANES
from dx2ct.data.window import to_network
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.layers.patients import Patients
from dx2ct.training.batches import draw_slices, Examples, TensorBatch


@dataclass(frozen=True)
class Batch(TensorBatch):
    """One step's examples, patient-major.

    xrays (patient, view, H, W) in [0, 1]; coordinates (patient, slice, N, N, 3); slices and noise
    (patient slice, 1, N, N); t (patient slice,); matrices: one tensor (patient, view, 3, 4) where exposures are random.
    """

    xrays: Tensor
    coordinates: Tensor
    slices: Tensor
    noise: Tensor
    t: Tensor
    matrices: tuple[Tensor, ...] = ()


class TrainingData(Examples[Batch]):
    """Patients and the coordinates of every plane."""

    def __init__(self, settings: Dx2ctSettings, scans: Sequence[str], data: Path, device: torch.device) -> None:
        size = settings.slices.size
        self.settings, self.train = settings, settings.train
        self.patients = Patients(settings, size, scans, data, device)
        self.coordinates = torch.from_numpy(plane_coordinates(size))

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """The batch of one step, or one of its equal parts: uniform over patients, planes, slices and time steps.

        The parts together are the whole, so a step is the same on any number of processes.
        """
        train, size = self.train, self.settings.slices.size
        chooser = np.random.default_rng((train.seed, step))
        patients, planes, numbers = draw_slices(chooser, train, len(self.patients), size)
        generator = torch.Generator().manual_seed(int(chooser.integers(2**62)))
        noise = torch.randn((train.batch, 1, size, size), generator=generator)
        last = self.settings.diffusion.timesteps
        t = torch.randint(last, (train.batch,), generator=generator)
        if self.settings.train.last_step_share:
            pure = torch.rand(train.batch, generator=generator) < self.settings.train.last_step_share
            t = torch.where(pure, last - 1, t)
        mine, images = (slice(n * part // parts, n * (part + 1) // parts) for n in (len(patients), train.batch))
        chosen = [self.patients.get(step, i, int(patients[i])) for i in range(len(patients))[mine]]
        planes, numbers = planes[mine], numbers[mine]
        slices = [
            patient.stacks[PLANES[plane]][number]
            for patient, row in zip(chosen, np.stack([planes, numbers], -1), strict=True)
            for plane, number in row
        ]
        moves = train.augment.copies and train.augment.exposure.moves
        return Batch(
            xrays=torch.stack([patient.xrays for patient in chosen]),
            coordinates=self.coordinates[torch.from_numpy(planes), torch.from_numpy(numbers)],
            slices=torch.from_numpy(to_network(np.stack(slices)))[:, None],
            noise=noise[images],
            t=t[images],
            matrices=(torch.stack([patient.matrices for patient in chosen]),) if moves else (),
        )
