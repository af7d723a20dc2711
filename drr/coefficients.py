"""How strongly air, water, soft tissue and cortical bone attenuate photons of one energy.

NIST tabulates few energies. XCOM, which gives its values at all others, runs cubic splines of log cross section over
log energy through this same grid, one for each process and element. Here one such spline runs through each material's
sum.
"""

import math

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError

# Mass attenuation coefficients in cm2/g, NIST Standard Reference Database 126 (Hubbell and Seltzer, 2004), table 4; the
# tissues are those of ICRU Report 44. Densities in g/cm3 from table 2 of the same. The energies at both ends are not
# offered: there the curve is straight, and they only give it its direction at the next.
_KEV = (15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0, 200.0)
_CM2_PER_G = {
    "air": (1.614, 0.7779, 0.3538, 0.2485, 0.2080, 0.1875, 0.1662, 0.1541, 0.1356, 0.1233),
    "water": (1.673, 0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505, 0.1370),
    "soft tissue": (1.699, 0.8230, 0.3790, 0.2688, 0.2264, 0.2048, 0.1823, 0.1693, 0.1492, 0.1358),
    "bone": (9.032, 4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480, 0.1309),
}
_G_PER_CM3 = {"air": 1.205e-3, "water": 1.0, "soft tissue": 1.06, "bone": 1.92}
LOWEST_KEV, HIGHEST_KEV = 20.0, 150.0


def mu_per_mm(material: str, kev: float) -> float:
    """Linear attenuation in 1/mm of air, water, soft tissue or bone at a photon energy in keV.

    NIST's own values at the energies of its table; between them within 0.1 % of XCOM's, which is the last digit of the
    table. Raises InputError for an energy outside 20 to 150 keV.
    """
    if not LOWEST_KEV <= kev <= HIGHEST_KEV:
        raise InputError(f"{kev} keV is outside the table of attenuation, {LOWEST_KEV:g} to {HIGHEST_KEV:g} keV")
    log_mu = _natural_spline(np.log(_KEV), np.log(_CM2_PER_G[material]), math.log(kev))
    return math.exp(log_mu) * _G_PER_CM3[material] / 10


def _natural_spline(x: NDArray[np.float64], y: NDArray[np.float64], at: float) -> float:
    """At one place, the cubic spline through the points (x, y) whose second derivative is 0 at both ends.

    The second derivatives m at the points solve h0 m0 + 2 (h0 + h1) m1 + h1 m2 = 6 (slope1 - slope0), de Boor, 1978.
    Not SciPy's, because planning checks energies and may not wait for it.
    """
    step = np.diff(x)
    slope = np.diff(y) / step
    equations = np.diag(2 * (step[:-1] + step[1:])) + np.diag(step[1:-1], 1) + np.diag(step[1:-1], -1)
    second = np.pad(np.linalg.solve(equations, 6 * np.diff(slope)), 1)
    i = int(np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1))
    left, right = (x[i + 1] - at) / step[i], (at - x[i]) / step[i]
    bend = ((left**3 - left) * second[i] + (right**3 - right) * second[i + 1]) * step[i] ** 2 / 6
    return float(left * y[i] + right * y[i + 1] + bend)
