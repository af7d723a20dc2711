"""From Hounsfield units to linear attenuation, and from line integrals to what a detector counts.

An HU-to-attenuation model of the form slope * (HU - zero) above a threshold, else 0, is applied while a ray runs
through the stored voxels. No attenuation volume is made for it; only the mixture of three materials needs one.
"""

from dataclasses import dataclass
import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drr.coefficients import mu_per_mm
from drr.errors import InputError

Voxels = NDArray[np.float32] | NDArray[np.int16]

CT_KEV = 70.0  # effective energy of a CT at 120 kVp, at which its HU are taken to be measured
_MOST_PHOTONS = 1e15  # a thousand million times a chest film's; NumPy draws no more than 1e18
DETECTOR_KEV = 60.0  # effective energy of a chest X-ray at 120 kVp


class Attenuation(Protocol):
    """Turns the HU of a volume into what the ray-caster walks through."""

    def prepare(self, hu: NDArray[Any]) -> "tuple[Voxels, AttenuationModel]":
        """The voxels to walk through, (z, y, x), and the model that gives their attenuation in 1/mm."""

    def __call__(self, hu: NDArray[Any]) -> NDArray[Any]:
        """Attenuation in 1/mm of every value."""


@dataclass(frozen=True)
class AttenuationModel:
    """The HU-to-attenuation model slope * (HU - zero), in 1/mm, above the threshold, else 0."""

    threshold: float
    zero: float
    slope: float

    def prepare(self, hu: NDArray[Any]) -> "tuple[Voxels, AttenuationModel]":
        """The volume itself, as int16 where it is stored so, else as float32."""
        whole = self.zero == int(self.zero) and math.isfinite(self.threshold) and self.threshold >= self.zero - 1
        if hu.dtype == np.int16 and whole and max(abs(self.threshold), abs(self.zero)) < 2**15:
            return np.ascontiguousarray(hu), self
        return np.ascontiguousarray(hu, np.float32), self

    def __call__(self, hu: NDArray[Any]) -> NDArray[np.float64]:
        """Attenuation in 1/mm of every value, float64."""
        values = hu.astype(np.float64)
        return np.where(values > self.threshold, self.slope * (values - self.zero), 0.0)


# mu = 0.022 (1 + HU/1000) /mm above -800 HU and exactly 0 at and below it, which takes the lung's air out
# (plastimatch, drr.cxx, attenuation_lookup_hu).
PLASTIMATCH = AttenuationModel(threshold=-800.0, zero=-1000.0, slope=0.022 / 1000)
# The volume holds attenuation in 1/mm already.
IDENTITY = AttenuationModel(threshold=-math.inf, zero=0.0, slope=1.0)


def water(kev: float) -> AttenuationModel:
    """Every voxel is water of another density: mu = mu_water (1 + HU/1000), 0 below -1000 HU. The definition of HU."""
    return AttenuationModel(threshold=-1000.0, zero=-1000.0, slope=mu_per_mm("water", kev) / 1000)


@dataclass(frozen=True)
class Mixture:
    """Every voxel is a mixture by volume of its two neighbours among air, soft tissue and cortical bone.

    The fractions follow from the HU, taken at CT_KEV; the attenuation is that of the fractions at `kev`. Denser than
    cortical bone is extrapolated. At kev = CT_KEV this is water scaling down to -1000 HU.
    """

    kev: float = DETECTOR_KEV

    def prepare(self, hu: NDArray[Any]) -> "tuple[Voxels, AttenuationModel]":
        """A float32 volume of attenuation, the only copy of the volume that is made."""
        if hu.dtype == np.int16:
            return self(np.arange(-(2**15), 2**15))[hu.astype(np.int32) + 2**15], IDENTITY
        return self(hu), IDENTITY

    def __call__(self, hu: NDArray[Any]) -> NDArray[np.float32]:
        """Attenuation in 1/mm of every value, float32."""
        materials = ("air", "soft tissue", "bone")
        ct_mu, ct_water = [mu_per_mm(m, CT_KEV) for m in materials], mu_per_mm("water", CT_KEV)
        knots = [1000 * (mu / ct_water - 1) for mu in ct_mu]
        mu = [mu_per_mm(m, self.kev) for m in materials]
        result = np.interp(hu, [-1000.0, *knots], [0.0, *mu]).astype(np.float32)
        slope = (mu[2] - mu[1]) / (knots[2] - knots[1])
        return np.where(hu > knots[2], mu[2] + slope * (hu - knots[2]), result).astype(np.float32)


def named(name: str) -> Attenuation:
    """plastimatch; water or mixture, at 60 keV; water:KEV or mixture:KEV. InputError for anything else."""
    kind, _, kev = name.partition(":")
    try:
        energy = float(kev) if kev else DETECTOR_KEV
    except ValueError:
        raise InputError(f"attenuation {name!r}: {kev!r} is not an energy in keV") from None
    if kind == "plastimatch" and not kev:
        return PLASTIMATCH
    if kind == "water":
        return water(energy)
    if kind == "mixture":
        mu_per_mm("air", energy)
        return Mixture(energy)
    raise InputError(f"unknown attenuation {name!r}; known: plastimatch, water[:KEV], mixture[:KEV]")


def with_noise(integrals: NDArray[np.float32], photons: float, seed: int) -> NDArray[np.float32]:
    """Line integrals as a counting detector sees them: -log(N / photons), N ~ Poisson(photons exp(-integral)).

    photons: per pixel without a patient. A pixel that counts nothing is given half a photon, so that its logarithm
    exists. Raises InputError unless photons is positive and at most 1e15, and for a negative seed.
    """
    if not 0 < photons <= _MOST_PHOTONS:
        raise InputError(
            f"an exposure of {photons} photons a pixel makes no image: more than 0, {_MOST_PHOTONS:g} at most"
        )
    if seed < 0:
        raise InputError(f"the seed of the noise is {seed}: give 0 or more")
    counts = np.random.default_rng(seed).poisson(photons * np.exp(-integrals.astype(np.float64)))
    return -np.log(np.maximum(counts, 0.5) / photons).astype(np.float32)
