"""A method that gives every patient the same volume."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dx2ct.config import RunSettings, SamplingOptions
from dx2ct.data.grid import training_grid
from dx2ct.geometry import Views
from dx2ct.methods.contract import checked_xrays, InputSpec, Planes, require_grid, Trained, Xrays
from dx2ct.methods.saved import read_arrays


class Fixed(Trained):
    """One volume, whatever is given; it wants no X-ray."""

    def __init__(self, settings: RunSettings, volume: NDArray[np.float32]) -> None:
        self.volume = volume
        self.inputs = InputSpec(Views(training_grid(settings.volume, settings.slices), {}), pixels=1)

    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """The volume."""
        checked_xrays(xrays, self.inputs)
        require_grid(geometry, self.inputs)
        return Planes.of_one(self.volume.copy())  # the caller may change it


def load_fixed(settings: RunSettings, run: Path, name: str) -> Fixed:
    """The volume that a run keeps under a name; InputError where its file holds none of the training grid."""
    return Fixed(settings, read_arrays(run, {name: (settings.slices.size,) * 3})[name])
