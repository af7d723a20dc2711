"""How much of a volume's fine detail there is, right or wrong: regression blurs, adversarial training invents."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfftn
from scipy.signal.windows import hann

from dx2ct.data.window import windowed
from dx2ct.metrics.evaluation import Evaluation, Truth


def sharpness(evaluation: Evaluation) -> float:
    """Power of the volume above half of Nyquist, over the CT's: 1 is as sharp, less is blurred, more is noise.

    Spatial frequencies by their length; every axis is weighted by a Hann window first, so that edges count little.
    """
    truth = evaluation.ct.once(_of_truth)
    return _fine_power(evaluation.image) / truth if truth else float("nan")


def _of_truth(ct: Truth) -> float:
    return _fine_power(ct.volume.array)


def _fine_power(volume: NDArray[np.generic]) -> float:
    weights, is_fine = _weights_and_fine(volume.shape)
    hu = windowed(np.asarray(volume)).astype(np.float64)
    spectrum = rfftn((hu - hu.mean()) * weights)
    return float((np.abs(spectrum) ** 2 * is_fine).sum())


@lru_cache(maxsize=2)
def _weights_and_fine(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The window, and how often each half-spectrum's term counts: 0 up to half of Nyquist, 2 where it has a twin."""
    z, y, x = (hann(size) for size in shape)
    weights = z[:, None, None] * y[:, None] * x
    axes = [np.fft.fftfreq(size) for size in shape[:2]] + [np.fft.rfftfreq(shape[2])]
    length = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    twins = np.full(len(axes[2]), 2.0)
    twins[0] = 1
    if shape[2] % 2 == 0:
        twins[-1] = 1
    return weights, (length > 0.25) * twins
