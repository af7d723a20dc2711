"""From HU to attenuation, and to what a detector counts."""

import numpy as np
import pytest

from drr.attenuation import AttenuationModel, CT_KEV, Mixture, named, PLASTIMATCH, water, with_noise
from drr.coefficients import mu_per_mm
from drr.errors import InputError

HU = np.array([-1024, -1000, -801, -800, -799, 0, 1000, 3000], np.int16)


def test_plastimatch_rule():
    expected = [0, 0, 0, 0, 0.022 * 0.201, 0.022, 0.044, 0.088]
    np.testing.assert_allclose(PLASTIMATCH(HU), expected, rtol=1e-12)


def test_water_is_the_definition_of_hu():
    mu = mu_per_mm("water", 60.0)
    assert mu == pytest.approx(0.02059)  # NIST: 0.2059 cm2/g
    np.testing.assert_allclose(water(60.0)(HU), mu * np.maximum(0, 1 + HU / 1000.0), rtol=1e-12)


def test_the_mixture_at_the_energy_of_the_ct_is_water():
    tissue = np.arange(-990, 3000, 7)
    np.testing.assert_allclose(Mixture(CT_KEV)(tissue), water(CT_KEV)(tissue), rtol=2e-3, atol=1e-6)


def test_bone_stands_out_at_low_energy():
    ratio = Mixture(40.0)(np.array([1500])) / Mixture(40.0)(np.array([0]))
    assert ratio > 2.5 * 1.3 > Mixture(100.0)(np.array([1500])) / Mixture(100.0)(np.array([0]))


@pytest.mark.parametrize("model", [Mixture(50.0), PLASTIMATCH, water(80.0)], ids=str)
def test_attenuation_never_falls_with_hu(model):
    assert (np.diff(model(np.arange(-1100, 4000))) >= 0).all()


def test_int16_volumes_are_not_copied():
    hu = np.zeros((3, 4, 5), np.int16)
    for model in (PLASTIMATCH, water(60.0)):
        voxels, same = model.prepare(hu)
        assert voxels is hu and same is model
    assert AttenuationModel(-800.0, -1000.5, 1.0).prepare(hu)[0].dtype == np.float32


def test_names():
    assert named("plastimatch") is PLASTIMATCH
    assert named("water:80") == water(80.0) and named("mixture") == Mixture(60.0)
    for name in ("bone", "plastimatch:60", "water:x", "mixture:5"):
        with pytest.raises(InputError):
            named(name)


def test_noise_has_the_variance_of_counted_photons():
    integrals = np.full((400, 400), 2.0, np.float32)
    noisy = with_noise(integrals, 1e5, seed=3)
    np.testing.assert_array_equal(noisy, with_noise(integrals, 1e5, seed=3))
    assert (noisy != with_noise(integrals, 1e5, seed=4)).any()
    assert noisy.mean() == pytest.approx(2.0, abs=1e-3)
    assert noisy.var() == pytest.approx(1 / (1e5 * np.exp(-2.0)), rel=0.05)
    assert np.isfinite(with_noise(np.full((9, 9), 50.0, np.float32), 10.0, seed=0)).all()
    with pytest.raises(InputError, match="makes no image"):
        with_noise(integrals, 0.0, seed=0)
