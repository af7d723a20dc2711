"""For rivals that make a volume at once: their examples, and where an X-ray's pixels lie in the patient."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from drr.errors import InputError
from dx2ct.config.methods import RivalTraining
from dx2ct.data.scans import read_xrays
from dx2ct.methods.layers.example import Example, read_volume


class VolumeData:
    """Whole scans: X-rays (n, view, H, W) and volumes (n, 1, z, y, x). X-rays are kept in memory, volumes are read."""

    def __init__(
        self, train: RivalTraining, views: Sequence[str], size: int, pixels: int, scans: Sequence[str], data: Path
    ) -> None:
        if train.slices_per_patient != 1:
            raise InputError("train.slices_per_patient must be 1 here: an example is a whole volume")
        self.sharing, self.size, self.scans, self.data = train, size, scans, data
        self.xrays = torch.from_numpy(np.stack([read_xrays(data, scan, views, pixels) for scan in scans]))
        for scan in scans:
            read_volume(data, scan, size)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Example:
        """Patients uniformly; the parts together are the whole."""
        chooser = np.random.default_rng((self.sharing.seed, step))
        count = self.sharing.batch
        patients = chooser.choice(len(self.scans), count, replace=count > len(self.scans))
        mine = patients[count * part // parts : count * (part + 1) // parts]
        volumes = [read_volume(self.data, self.scans[patient], self.size) for patient in mine]
        return Example((self.xrays[torch.from_numpy(mine)],), torch.stack(volumes)[:, None])


def into_patient(maps: Tensor, view: str) -> Tensor:
    """(n, c, depth, row, column) of a view to (n, c, z, y, x) as if all its rays were parallel.

    PA: depth is y, columns are x; lateral: depth is x, columns are y; rows run from the head down, z grows to the head
    (see drr/geometry.py).
    """
    turned = maps.permute(0, 1, 3, 2, 4) if view == "pa" else maps.permute(0, 1, 3, 4, 2)
    return turned.flip(2)
