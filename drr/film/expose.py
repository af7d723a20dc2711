"""What a detector reads of a patient: all of drr.physics in its order."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from drr.film.look import Exposure
from drr.physics.detector import absorbed
from drr.physics.noise import counted
from drr.physics.scatter import scattered

Images = NDArray[np.float32]
IN_FIELD = 0.5  # of the beam: where the edge of the field is said to be
DIRECT = 0.5  # of the open beam's signal: more has met no patient
_FEWEST = 0.02  # of the pixels, that a patient is


def exposed(
    lengths: Images, opened: Images, pixel_mm: tuple[float, float], how: Exposure, generator: np.random.Generator
) -> Images:
    """The signal, (row, column), as a share of that of the open beam.

    lengths: mm of soft tissue and of bone, (2, row, column). opened: the share of the beam that the collimator leaves.
    Primary radiation and scatter are added before photons are counted; scattered ones are taken to have the energies of
    the primary. The focal spot blurs before, the detector's light after.
    """
    energy, second = absorbed(lengths, how.tube, how.detector)
    whole = absorbed(np.zeros((2, 1, 1), np.float32), how.tube, how.detector)[0]
    beam = opened * _heel(opened.shape, how) * whole
    primary = blurred(energy / whole * beam, how.focus_mm, pixel_mm)
    scatter = scattered(primary, beam, how.scatter, pixel_mm)
    signal = how.grid.primary * primary + how.grid.scattered * scatter
    photons = how.photons_per_mm2 * pixel_mm[0] * pixel_mm[1] / _behind_patient(signal / whole, opened)
    signal = counted(signal, second / np.maximum(energy, 1e-30) * signal, photons, how.detector.swank, generator)
    return np.asarray(blurred(signal, how.detector.blur_mm, pixel_mm) / whole, np.float32)


def blurred(image: Images, sigma_mm: float, pixel_mm: tuple[float, float]) -> Images:
    """Through a Gaussian; one narrower than a fifth of a pixel changes nothing."""
    sigma = sigma_mm / pixel_mm[0], sigma_mm / pixel_mm[1]
    return image if max(sigma) < 0.2 else np.asarray(gaussian_filter(image, sigma, mode="nearest"))


def is_patient(signal: Images, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the signal, a share of the open beam's, has met a patient; all that is inside where hardly any has."""
    patient = inside & (signal < DIRECT)
    return patient if np.count_nonzero(patient) >= _FEWEST * patient.size else inside


def _behind_patient(signal: Images, opened: Images) -> float:
    return float(signal[is_patient(signal, opened > IN_FIELD)].mean())


def _heel(shape: tuple[int, ...], how: Exposure) -> Images:
    """From 1 + heel / 2 to 1 - heel / 2 over the longer way through the image."""
    y, x = ((np.arange(side) + 0.5) / side - 0.5 for side in shape)
    angle = math.radians(how.heel_deg)
    return np.asarray(1 + how.heel * (y[:, None] * math.sin(angle) + x * math.cos(angle)), np.float32)
