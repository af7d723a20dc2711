"""A scintillator of caesium iodide that gives as much light as the photons that it absorbs had energy.

An absorbed photon leaves all of its energy: fluorescence that escapes, and light that does, are in the Swank factor.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.physics.materials import attenuation
from drr.physics.tube import Bins, ENERGIES_KEV, through, Tube

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Detector:
    """csi_mm: of caesium iodide without its voids (0.5 mm of needles are 0.4 mm). blur_mm: a standard deviation, of its
    light.

    swank: the share of the information that the unlike light of single photons leaves (Swank, J. Appl. Phys. 44, 4199,
    1973). Raises InputError for what is no detector.
    """

    csi_mm: float = 0.4
    blur_mm: float = 0.15
    swank: float = 0.85

    def __post_init__(self) -> None:
        if not (self.csi_mm > 0 and self.blur_mm >= 0 and 0 < self.swank <= 1):
            raise InputError(
                f"a detector of {self.csi_mm} mm CsI, a blur of {self.blur_mm} mm and a Swank factor of {self.swank}: "
                "above 0, 0 and more, above 0 and at most 1"
            )

    @cached_property
    def efficiency(self) -> Bins:
        """The share of photons of each energy that it absorbs."""
        return 1 - through("caesium iodide", self.csi_mm)


def absorbed(lengths: Images, tube: Tube, detector: Detector) -> Images:
    """Absorbed energy behind the patient and its second moment, (2, row, column), keV and keV2 a photon of the open
    beam.

    lengths: mm of soft tissue and of bone, (2, row, column). The first is the mean signal of one photon that left the
    tube, the second what its variance follows from (drr/physics/noise.py).
    """
    weights = tube.fluence * detector.efficiency * ENERGIES_KEV
    kept = weights > 1e-6 * weights.max()
    moments = np.stack([weights, weights * ENERGIES_KEV])[:, kept].astype(np.float32)
    depth = np.tensordot(lengths, attenuation()[:, kept], axes=([0], [0]))  # (row, column, energy)
    return np.ascontiguousarray(np.moveaxis(np.exp(-depth) @ moments.T, -1, 0))
