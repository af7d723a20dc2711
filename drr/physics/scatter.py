"""What a patient scatters onto the detector, by convolution, and what an anti-scatter grid makes of it.

A pencil of rays of transmission t scatters in proportion to t ln(1/t): to how often a photon of it scatters once and
gets through (Ohnesorge, Flohr and Klingenbeck-Regn, Efficient object scatter correction algorithm for third and fourth
generation CT scanners, Eur. Radiol. 9, 563, 1999). What it scatters falls around it as a sum of two Gaussians, as in
Sun and Star-Lack, Improved scatter correction using adaptive scatter kernel superposition, Phys. Med. Biol. 55, 6695,
2010.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from drr.errors import InputError

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Scatter:
    """strength: scattered over t ln(1/t). Gaussians: standard deviations in mm, and the share of the wide one.

    A strength of 0.5 makes as much scatter as primary radiation behind the lungs, and several times as much behind the
    mediastinum, as without a grid at 120 kV.
    """

    strength: float = 0.5
    narrow_mm: float = 20.0
    wide_mm: float = 70.0
    wide_share: float = 0.6

    def __post_init__(self) -> None:
        if not (self.strength >= 0 and min(self.narrow_mm, self.wide_mm) > 0 and 0 <= self.wide_share <= 1):
            raise InputError(f"{self}: a strength of 0 or more, Gaussians above 0 mm and a share from 0 to 1")


@dataclass(frozen=True)
class Grid:
    """The shares of primary and of scattered radiation that an anti-scatter grid lets through; both 1: none."""

    primary: float = 1.0
    scattered: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.primary <= 1 and 0 <= self.scattered <= 1):
            raise InputError(f"{self}: shares from 0 to 1, of primary radiation above 0")


NO_GRID = Grid()


def scattered(primary: Images, beam: Images, scatter: Scatter, pixel_mm: tuple[float, float]) -> Images:
    """Scattered radiation on the detector, (row, column), in the unit of the primary.

    primary: behind the patient; beam: what would be there without one, in the same unit. What falls beside the detector
    is lost, and nothing comes from beside it: in all it is never more than `strength` times the sum of t ln(1/t) beam.
    """
    share = np.clip(primary / np.maximum(beam, np.finfo(np.float32).tiny), np.finfo(np.float32).tiny, 1)
    source = scatter.strength * beam * share * -np.log(share)
    size = [fft.next_fast_len(2 * side, real=True) for side in source.shape]
    spread = fft.irfft2(fft.rfft2(source, size) * _kernel(size, scatter, pixel_mm), size)
    return np.asarray(np.maximum(spread[: source.shape[0], : source.shape[1]], 0), np.float32)


def _kernel(size: list[int], scatter: Scatter, pixel_mm: tuple[float, float]) -> NDArray[np.float32]:
    """The Fourier transform of both Gaussians, 1 at frequency 0, which keeps the energy."""
    rows, columns = size[0] * pixel_mm[0], size[1] * pixel_mm[1]
    y, x = fft.fftfreq(size[0], 1 / size[0]) / rows, fft.rfftfreq(size[1], 1 / size[1]) / columns
    squared = 2 * np.pi**2 * (y[:, None] ** 2 + x**2)
    narrow, wide = (np.exp(-squared * mm**2) for mm in (scatter.narrow_mm, scatter.wide_mm))
    return np.asarray((1 - scatter.wide_share) * narrow + scatter.wide_share * wide, np.float32)
