"""For methods that make a volume at once: their examples, and where an X-ray's pixels lie in the patient."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from drr.errors import InputError
from drr.geometry import View
from dx2ct.config import LearnedSettings
from dx2ct.data.window import to_network
from dx2ct.methods.layers.example import Example
from dx2ct.methods.layers.patients import Patient, Patients
from dx2ct.training.batches import Examples

ALONG = 0.999  # cosine of the angle up to which a direction lies along an axis


class VolumeData(Examples[Example]):
    """Whole scans: X-rays (n, view, H, W) and volumes (n, 1, z, y, x)."""

    def __init__(
        self, settings: LearnedSettings, pixels: int, scans: Sequence[str], data: Path, device: torch.device
    ) -> None:
        self.train, self.patients = settings.train, Patients(settings, pixels, scans, data, device)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Example:
        """Patients uniformly; the parts together are the whole."""
        chosen = self.chosen(step, part, parts)
        return Example((torch.stack([patient.xrays for patient in chosen]),), volumes_of(chosen))

    def chosen(self, step: int, part: int, parts: int) -> list[Patient]:
        """The patients of a part of a step."""
        chooser = np.random.default_rng((self.train.seed, step))
        count, there = self.train.batch, len(self.patients)
        numbers = chooser.choice(there, count, replace=count > there)
        mine = range(count * part // parts, count * (part + 1) // parts)
        return [self.patients.get(step, example, int(numbers[example])) for example in mine]


def volumes_of(patients: Sequence[Patient]) -> Tensor:
    """The truth, (n, 1, z, y, x) in [0, 1]."""
    seen = np.stack([to_network(patient.stacks["axial"]) for patient in patients])
    return torch.from_numpy(seen / 2 + np.float32(0.5))[:, None]


class IntoPatient:
    """Maps (n, c, depth, row, column) of a view to (n, c, z, y, x), as if all its rays were parallel.

    Depth grows with the patient axis that the central ray runs along. InputError for a view whose rows, columns and
    central ray do not lie along the patient's axes: no such order of axes fits it.
    """

    def __init__(self, name: str, view: View) -> None:
        middle = np.array(view.resized(1).corner_mm) - view.source_mm
        axes: list[int] = []
        self.flipped: list[int] = []
        for number, step in enumerate((middle, np.array(view.row_step_mm), np.array(view.column_step_mm))):
            direction = step / np.linalg.norm(step)
            axis = int(np.abs(direction).argmax())
            if abs(direction[axis]) < ALONG:
                raise InputError(
                    f"view {name} does not look along an axis of the patient: this method takes views as pa and lateral"
                )
            axes.append(axis)
            if number and direction[axis] < 0:
                self.flipped.append(number)
        x_y_z = [axes.index(axis) for axis in (2, 1, 0)]  # z, y, x of the result
        self.order = (0, 1, *(2 + axis for axis in x_y_z))

    def back(self, maps: Tensor) -> Tensor:
        """The inverse: (n, c, z, y, x) to (n, c, depth, row, column)."""
        turned = maps.permute([self.order.index(axis) for axis in range(5)])
        return turned.flip([2 + axis for axis in self.flipped])

    def __call__(self, maps: Tensor) -> Tensor:
        """A view of the maps, no copy but for the flips."""
        flips = [2 + axis for axis in self.flipped]
        return maps.flip(flips).permute(self.order) if flips else maps.permute(self.order)
