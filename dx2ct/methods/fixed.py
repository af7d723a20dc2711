"""A method that gives every patient the same volume."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from drr.errors import InputError
from dx2ct.config import RunSettings, SamplingOptions
from dx2ct.data.grid import training_grid
from dx2ct.geometry import Views
from dx2ct.methods.contract import checked_xrays, InputSpec, Planes, Trained, Xrays
from dx2ct.methods.saved import require_weights


class Fixed(Trained):
    """One volume, whatever is given; it wants no X-ray."""

    def __init__(self, settings: RunSettings, volume: NDArray[np.float32]) -> None:
        self.volume = volume
        self.inputs = InputSpec(Views(training_grid(settings.volume, settings.slices), {}), pixels=1)

    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """The volume."""
        checked_xrays(xrays, self.inputs)
        return Planes.of_one(self.volume)


def load_fixed(settings: RunSettings, run: Path, name: str) -> Fixed:
    """The volume that a run keeps under a name; InputError where its file holds none of the training grid."""
    path = require_weights(run)
    try:
        volume = load_file(path)[name]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not the weights of these settings ({error}): train it again") from None
    if volume.shape != (settings.slices.size,) * 3:
        raise InputError(f"{path}: a volume of {volume.shape}, not {settings.slices.size} cubed: train it again")
    return Fixed(settings, volume)
