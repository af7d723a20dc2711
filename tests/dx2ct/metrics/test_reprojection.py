import numpy as np
import pytest

from drr.caster import render
from drr.geometry import ConeBeam, View
from drr.volume import Volume
from dx2ct.metrics.reprojection import reprojection_errors
from tests.fabricate import body

BEAM = ConeBeam(541.0, 949.0, 160.0, 96)
CT = Volume(body(0), (2.0, 2.0, 2.0), (10.0, -50.0, 300.0))


def views(volume: Volume) -> list[View]:
    """PA, lateral and one between them."""
    centre = volume.centre_mm
    return [BEAM.view("pa", centre), BEAM.view("lateral", centre), BEAM.rotated(45.0, 10.0, centre)]


def xrays(volume: Volume) -> list[np.ndarray]:
    return list(render(volume, views(volume), "cpu"))


def errors(volume: Volume, images: list[np.ndarray]) -> tuple[float, ...]:
    return reprojection_errors(volume, images, views(volume))


def changed(array: np.ndarray) -> Volume:
    return Volume(array, CT.spacing_mm, CT.origin_mm)


def test_a_ct_gives_its_own_xrays_wherever_it_lies():
    assert errors(CT, xrays(CT)) == (0, 0, 0)
    elsewhere = Volume(CT.array, CT.spacing_mm, (0.0, 0.0, 0.0))
    assert errors(elsewhere, xrays(CT)) == pytest.approx((0, 0, 0), abs=1e-5)


def test_the_error_is_relative():
    doubled = errors(CT, [2 * xray for xray in xrays(CT)])
    assert doubled == pytest.approx((0.5, 0.5, 0.5), abs=1e-6)
    air = errors(changed(np.full_like(CT.array, -1000)), xrays(CT))
    assert air == (1, 1, 1)
    assert np.isnan(errors(CT, [0 * xray for xray in xrays(CT)])).all()


def test_which_view_notices_what():
    """A mirror image turns the PA X-ray round, hardly the lateral one; a shift along PA rays is seen from the side."""
    mirrored = errors(changed(CT.array[:, :, ::-1]), xrays(CT))
    assert mirrored[0] > 5 * mirrored[1]
    shifted = errors(changed(np.roll(CT.array, 2, axis=1)), xrays(CT))
    assert shifted[1] > 3 * shifted[0]
    brighter = errors(changed(CT.array + 24), xrays(CT))
    assert all(0.01 < error < 0.1 for error in brighter)


def test_what_is_finer_than_a_voxel_does_not_count():
    """Stripes of one detector pixel, of which three lie in a voxel."""
    stripes = [xray * (1 + 0.2 * np.sin(np.arange(96) * 2 * np.pi / 3)) for xray in xrays(CT)]
    assert max(errors(CT, stripes)) < 0.02
