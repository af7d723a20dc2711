"""The noise of a detector that adds up the energies of the photons that it absorbs."""

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]


def counted(energy: Images, second: Images, photons: float, swank: float, generator: np.random.Generator) -> Images:
    """Absorbed energy as photons deliver it one by one: `energy` in the mean, in its unit.

    energy, second: the moments of drr.physics.detector.absorbed; photons: of the open beam, a pixel. A compound Poisson
    variable has the mean N m1 and the variance N m2 / swank; k Poisson(N m1 / k) with k = m2 / (m1 swank) has both.
    """
    quantum = np.maximum(second / (np.maximum(energy, np.finfo(np.float32).tiny) * swank), np.finfo(np.float32).tiny)
    counts = generator.poisson((photons * energy / quantum).astype(np.float64))
    return np.asarray(counts * quantum / photons, np.float32)
