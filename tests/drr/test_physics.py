"""Laws of tube, materials, detector, scatter and noise."""

from collections.abc import Callable

import numpy as np
import pytest

from drr.attenuation import Mixture
from drr.caster import render
from drr.coefficients import mu_per_mm
from drr.errors import InputError
from drr.geometry import ConeBeam
from drr.physics.detector import absorbed, Detector
from drr.physics.materials import attenuation, BONE_HU, MATERIALS, path_lengths, SOFT_HU
from drr.physics.noise import counted
from drr.physics.scatter import Grid, Scatter, scattered
from drr.physics.tables import THOUSANDTHS
from drr.physics.tube import ENERGIES_KEV, Tube
from drr.volume import Volume

PIXEL = (4.0, 4.0)


def mean_kev(tube: Tube) -> float:
    return float(tube.fluence @ ENERGIES_KEV)


def box(*values: int) -> Volume:
    """Cubes of 60 mm of some HU behind each other along y, in air."""
    hu = np.full((40, 60, 40), -1000, np.int16)
    for number, value in enumerate(values):
        hu[5:35, 5 + 15 * number : 20 + 15 * number, 5:35] = value
    return Volume(hu, (4.0, 4.0, 4.0), (-78.0, -118.0, -78.0))


VIEW = ConeBeam(20000.0, 20400.0, 120.0, 30).view("pa", (0.0, 0.0, 0.0))  # rays nearly parallel


@pytest.mark.parametrize("kvp", [60.0, 73.0, 85.0, 120.0, 150.0])
def test_a_spectrum_is_whole_and_ends_at_its_voltage(kvp: float) -> None:
    fluence = Tube(kvp).fluence
    assert fluence.sum() == pytest.approx(1) and (fluence >= 0).all()
    above = min(tabulated for tabulated in THOUSANDTHS if tabulated >= kvp)
    assert not fluence[above < ENERGIES_KEV].any() and fluence[ENERGIES_KEV < 60].all()


@pytest.mark.parametrize(("kvp", "kev"), [(60, 36.4), (85, 44.9), (120, 54.6), (125, 55.8)])
def test_mean_energies_are_spekpys(kvp: float, kev: float) -> None:
    """Of its photons above 20 keV, at voltages in the table and between."""
    assert mean_kev(Tube(kvp)) == pytest.approx(kev, abs=0.5)


def test_voltage_and_filters_harden_a_beam() -> None:
    energies = [mean_kev(tube) for tube in (Tube(80), Tube(120), Tube(120, 2.0), Tube(120, 2.0, 0.2))]
    assert energies == sorted(energies) and energies[-1] > energies[1] + 3


def test_path_lengths_of_blocks_are_their_thickness() -> None:
    lengths = path_lengths(box(SOFT_HU, BONE_HU), [VIEW])[0]
    middle = lengths[:, 10:20, 10:20]
    np.testing.assert_allclose(middle[0], 60, rtol=2e-3)
    np.testing.assert_allclose(middle[1], 60, rtol=2e-3)


@pytest.mark.parametrize("kev", [40.0, 60.0, 90.0])
def test_materials_of_one_energy_are_the_mixture(kev: float) -> None:
    """Air is taken for soft tissue of its density, which is worth less than half a per cent."""
    volume = box(-850, 40, 700)
    lengths = path_lengths(volume, [VIEW])[0].astype(float)
    expected = render(volume, [VIEW], attenuation=Mixture(kev))[0]
    ours = sum(mu_per_mm(material, kev) * mm for material, mm in zip(MATERIALS, lengths, strict=True))
    np.testing.assert_allclose(ours, expected, atol=5e-3 * expected.max())


def test_coefficients_of_the_spectrum_are_those_of_one_energy() -> None:
    assert attenuation()[1, 8] == pytest.approx(mu_per_mm("bone", 62.5), rel=1e-6)


def test_the_open_beam_leaves_its_energy_and_a_thin_layer_takes_its_mean() -> None:
    tube, detector = Tube(100), Detector()
    weights = tube.fluence * detector.efficiency * ENERGIES_KEV
    thin, none = (absorbed(np.full((2, 1, 1), mm, np.float32), tube, detector) for mm in (0.01, 0.0))
    np.testing.assert_allclose(none[:, 0, 0], [weights.sum(), weights @ ENERGIES_KEV], rtol=1e-4)
    mean_mu = weights @ attenuation().sum(axis=0) / weights.sum()
    assert (none[0] - thin[0]).item() / none[0].item() == pytest.approx(0.01 * mean_mu, rel=0.01)


def test_thickness_hardens_a_beam() -> None:
    """The second 100 mm of tissue take a smaller share than the first."""
    lengths = np.zeros((2, 1, 3), np.float32)
    lengths[0, 0] = 0, 100, 200
    signal = absorbed(lengths, Tube(120), Detector())[0, 0]
    assert signal[1] / signal[0] < 0.95 * signal[2] / signal[1]


def test_a_thicker_scintillator_absorbs_more_and_more_above_the_k_edges() -> None:
    thin, thick = Detector(csi_mm=0.2).efficiency, Detector(csi_mm=0.5).efficiency
    assert (thick > thin).all() and thin[3] > thin[2] and 0.5 < thick[8] < 0.9


def pencil(size: int, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """A beam through one pixel alone, of transmission 1/e: it scatters strength / e."""
    beam = np.zeros((size, size), np.float32)
    beam[row, column] = 1
    return beam * np.float32(np.exp(-1)), beam


def test_scatter_keeps_energy_and_has_the_width_it_says() -> None:
    fan = scattered(*pencil(129, 64, 64), Scatter(0.6, 20.0, 70.0, 0.0), PIXEL).astype(float)
    assert fan.sum() == pytest.approx(0.6 / np.e, rel=1e-4)
    place = (np.arange(129) - 64) * PIXEL[0]
    assert np.sqrt(fan.sum(axis=0) @ place**2 / fan.sum()) == pytest.approx(20, rel=1e-3)


def test_what_falls_beside_the_detector_is_lost() -> None:
    corner = scattered(*pencil(129, 0, 0), Scatter(0.6, 20.0, 20.0), PIXEL).sum()
    assert corner == pytest.approx(0.6 / np.e / 4, rel=0.2), (
        "a quarter of the plane, and the pixel's own row and column"
    )


def test_scatter_is_linear_in_beam_and_strength_and_needs_a_patient() -> None:
    generator = np.random.default_rng(0)
    beam = np.ones((40, 30), np.float32)
    primary = generator.uniform(0.01, 0.9, beam.shape).astype(np.float32)
    one = scattered(primary, beam, Scatter(0.3), PIXEL)
    np.testing.assert_allclose(scattered(5 * primary, 5 * beam, Scatter(0.6), PIXEL), 10 * one, rtol=1e-4)
    assert one.min() > 0
    np.testing.assert_allclose(scattered(beam, beam, Scatter(0.3), PIXEL), 0, atol=1e-6)


def test_behind_a_chest_scatter_outweighs_primary_as_published() -> None:
    """Without a grid as much as primary behind the lungs and several times as much behind the mediastinum."""
    primary = np.full((100, 100), 0.12, np.float32)
    primary[:, 40:60] = 0.008
    ratio = scattered(primary, np.ones_like(primary), Scatter(), PIXEL) / primary
    assert 0.6 < ratio[50, 20] < 1.6 and 4 < ratio[50, 50] < 16


def test_counted_photons_have_the_mean_and_the_variance_of_their_energies() -> None:
    """Against photons drawn one by one from the spectrum that the detector absorbs."""
    tube, detector, photons = Tube(110), Detector(swank=1.0), 400.0
    energy, second = absorbed(np.full((2, 1, 1), 5.0, np.float32), tube, detector)
    shape = (200, 200)
    generator = np.random.default_rng(1)
    ours = counted(np.broadcast_to(energy, shape), np.broadcast_to(second, shape), photons, 1.0, generator)
    rates = tube.fluence * detector.efficiency * np.exp(-5.0 * attenuation().sum(axis=0))
    drawn = generator.poisson(photons * rates, (*shape, len(rates))) @ ENERGIES_KEV / photons
    assert ours.mean() == pytest.approx(drawn.mean(), rel=2e-3)
    assert ours.var() == pytest.approx(drawn.var(), rel=0.03)
    assert ours.var() == pytest.approx(float(second.item()) / photons, rel=0.03)


def test_noise_falls_with_photons_and_rises_with_a_worse_swank_factor() -> None:
    flat = np.full((100, 100), 20.0, np.float32)
    variances = [
        counted(flat, 60 * flat, photons, swank, np.random.default_rng(0)).var()
        for photons, swank in ((1000.0, 1.0), (4000.0, 1.0), (1000.0, 0.5))
    ]
    np.testing.assert_allclose(variances, [1.2, 0.3, 2.4], rtol=0.05)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Tube(40.0), "a tube of 40.0 kV: 60 to 150 kV are tabulated"),
        (lambda: Tube(100, -1.0), "filters of -1.0 mm aluminium and 0.0 mm copper: 0 mm is the least"),
        (
            lambda: Detector(csi_mm=0.0),
            "a detector of 0.0 mm CsI, a blur of 0.15 mm and a Swank factor of 0.85: above 0, 0 and more, above 0 and "
            "at most 1",
        ),
        (lambda: Grid(0.0), "Grid(primary=0.0, scattered=1.0): shares from 0 to 1, of primary radiation above 0"),
        (
            lambda: Scatter(-1.0),
            "Scatter(strength=-1.0, narrow_mm=20.0, wide_mm=70.0, wide_share=0.6): a strength of 0 or more, Gaussians "
            "above 0 mm and a share from 0 to 1",
        ),
    ],
)
def test_what_is_none_is_one_line(made: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as error:
        made()
    assert str(error.value) == message
