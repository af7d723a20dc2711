"""The spectrum of an X-ray tube behind its filters."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.physics.tables import BIN_KEV, BINS, CM2_PER_G, FIRST_KEV, G_PER_CM3, THOUSANDTHS

Bins = NDArray[np.float64]
ENERGIES_KEV: Bins = np.asarray(FIRST_KEV + BIN_KEV * np.arange(BINS), np.float64)
LOWEST_KVP, HIGHEST_KVP = min(THOUSANDTHS), max(THOUSANDTHS)


@dataclass(frozen=True)
class Tube:
    """A tungsten tube: its peak voltage, and filters beyond the 2.5 mm of aluminium that every tube has.

    Raises InputError for a voltage outside 60 to 150 kV and for a filter thinner than nothing.
    """

    kvp: float = 120.0
    aluminium_mm: float = 0.0
    copper_mm: float = 0.0

    def __post_init__(self) -> None:
        if not LOWEST_KVP <= self.kvp <= HIGHEST_KVP:
            raise InputError(f"a tube of {self.kvp} kV: {LOWEST_KVP} to {HIGHEST_KVP} kV are tabulated")
        if not (self.aluminium_mm >= 0 and self.copper_mm >= 0):
            raise InputError(
                f"filters of {self.aluminium_mm} mm aluminium and {self.copper_mm} mm copper: 0 mm is the least"
            )

    @cached_property
    def fluence(self) -> Bins:
        """The share of photons in each bin of ENERGIES_KEV behind the filters, their sum is 1.

        Between two tabulated voltages linear, bin by bin.
        """
        voltages = sorted(THOUSANDTHS)
        table = np.zeros((len(voltages), BINS))
        for row, kvp in zip(table, voltages, strict=True):
            row[: len(THOUSANDTHS[kvp])] = THOUSANDTHS[kvp]
        plain = np.array([np.interp(self.kvp, voltages, column) for column in table.T])
        filtered = plain * through("aluminium", self.aluminium_mm) * through("copper", self.copper_mm)
        return np.asarray(filtered / filtered.sum())


def through(material: str, mm: float) -> Bins:
    """The share of photons of each bin that pass a layer of aluminium, copper or caesium iodide (Lambert-Beer)."""
    return np.asarray(np.exp(-np.array(CM2_PER_G[material]) * G_PER_CM3[material] * mm / 10))
