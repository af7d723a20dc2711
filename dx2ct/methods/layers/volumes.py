"""For methods that make a volume at once: their examples, and where an X-ray's pixels lie in the patient."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from drr.errors import InputError
from drr.geometry import View
from dx2ct.config import LearnedSettings
from dx2ct.data.scans import as_seen, read_xrays
from dx2ct.methods.layers.example import Example, read_volume
from dx2ct.training.batches import Examples

ALONG = 0.999  # cosine of the angle up to which a direction lies along an axis


class VolumeData(Examples[Example]):
    """Whole scans: X-rays (n, view, H, W) and volumes (n, 1, z, y, x). X-rays are kept in memory, volumes are read."""

    def __init__(self, settings: LearnedSettings, pixels: int, scans: Sequence[str], data: Path) -> None:
        views, self.size = settings.run.views, settings.slices.size
        self.train, self.scans, self.data = settings.train, scans, data
        seen = [as_seen(read_xrays(data, scan, views), views, pixels) for scan in scans]
        self.xrays = torch.from_numpy(np.stack(seen))
        for scan in scans:
            read_volume(data, scan, self.size)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Example:
        """Patients uniformly; the parts together are the whole."""
        chooser = np.random.default_rng((self.train.seed, step))
        count = self.train.batch
        patients = chooser.choice(len(self.scans), count, replace=count > len(self.scans))
        mine = patients[count * part // parts : count * (part + 1) // parts]
        volumes = [read_volume(self.data, self.scans[patient], self.size) for patient in mine]
        return Example((self.xrays[torch.from_numpy(mine)],), torch.stack(volumes)[:, None])


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
