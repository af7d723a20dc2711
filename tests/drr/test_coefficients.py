"""Attenuation of materials: NIST's tabulated values, XCOM's between them, SciPy's spline.

XCOM_CM2_PER_G was computed from XCOM 3.1's cross sections of the elements (Berger and Hubbell, NIST, 1999): a cubic
spline for each process, summed by the weights of SRD 126, table 2. The same computation gives what XCOM prints for
water at 33.5, 70 and 88.5 keV (0.3239, 0.1929, 0.1775 cm2/g), and all of table 4 used here to 0.06 %.
"""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from drr import coefficients
from drr.coefficients import mu_per_mm
from drr.errors import InputError

DENSITY = {"air": 1.205e-3, "water": 1.0, "soft tissue": 1.06, "bone": 1.92}  # g/cm3
XCOM_KEV = (25, 35, 45, 55, 65, 70, 75, 90, 110, 120, 140)
XCOM_CM2_PER_G = {
    "air": (0.48375, 0.28695, 0.22428, 0.19627, 0.18058, 0.17497, 0.17028, 0.15956, 0.14949, 0.14545, 0.13858),
    "water": (0.50822, 0.30747, 0.24362, 0.21494, 0.19871, 0.19285, 0.18791, 0.17656, 0.16574, 0.16135, 0.15382),
    "soft tissue": (0.51498, 0.30907, 0.24349, 0.21411, 0.19755, 0.19161, 0.18661, 0.17516, 0.16432, 0.15994, 0.15244),
    "bone": (2.15803, 0.90609, 0.51892, 0.36005, 0.28183, 0.25704, 0.23794, 0.20083, 0.17430, 0.16563, 0.15292),
}


def cm2_per_g(material: str, kev: float) -> float:
    return 10 * mu_per_mm(material, kev) / DENSITY[material]


@pytest.mark.parametrize("material", DENSITY)
def test_between_the_table_s_energies_it_is_xcom_s(material: str) -> None:
    """Straight lines in log-log were 0.4 % (water) and 1.8 % (bone) too high at 70 keV, and 4 % at 25."""
    found = [cm2_per_g(material, kev) for kev in XCOM_KEV]
    np.testing.assert_allclose(found, XCOM_CM2_PER_G[material], rtol=1e-3)


@pytest.mark.parametrize(
    ("material", "kev", "nist"),
    [("water", 60, 0.2059), ("water", 80, 0.1837), ("bone", 20, 4.001), ("bone", 150, 0.1480), ("air", 100, 0.1541)],
)
def test_at_the_table_s_energies_it_is_nist_s(material: str, kev: float, nist: float) -> None:
    assert cm2_per_g(material, kev) == pytest.approx(nist, rel=1e-12)


@pytest.mark.parametrize("kev", [20.0, 27.3, 60.0, 71.0, 149.0, 150.0])
def test_the_spline_is_scipy_s(kev: float) -> None:
    for material, values in coefficients._CM2_PER_G.items():
        spline = CubicSpline(np.log(coefficients._KEV), np.log(values), bc_type="natural")
        assert cm2_per_g(material, kev) == pytest.approx(np.exp(spline(np.log(kev))), rel=1e-12)


@pytest.mark.parametrize("material", DENSITY)
def test_attenuation_falls_with_energy(material: str) -> None:
    assert (np.diff([mu_per_mm(material, kev) for kev in np.arange(20, 150.5, 0.5)]) < 0).all()


@pytest.mark.parametrize("kev", [19.9, 150.1, float("nan")])
def test_outside_the_table_is_refused(kev: float) -> None:
    with pytest.raises(InputError, match="20 to 150 keV"):
        mu_per_mm("water", kev)
