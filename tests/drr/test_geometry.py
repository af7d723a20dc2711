"""The one geometry: named views, gantry angles, projection matrices, refusals."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from drr.errors import InputError
from drr.geometry import ConeBeam, PRESETS, View, VIEW_NAMES

ORIGIN = (0.0, 0.0, 0.0)
ISOCENTRE = (3.0, -4.0, 5.0)


@pytest.mark.parametrize("name", VIEW_NAMES)
def test_central_ray_goes_through_the_isocentre(name):
    view = PRESETS["x2ct"].view(name, ISOCENTRE)
    centre = view.pixel_centres_mm().mean(axis=(0, 1))
    assert np.linalg.norm(centre - view.source_mm) == pytest.approx(949.0)
    assert np.linalg.norm(np.array(ISOCENTRE) - view.source_mm) == pytest.approx(541.0)
    assert np.cross(centre - view.source_mm, np.array(ISOCENTRE) - view.source_mm) == pytest.approx([0, 0, 0], abs=1e-6)


def test_where_the_named_views_look_from():
    sources = {name: PRESETS["x2ct"].view(name, ORIGIN).source_mm for name in VIEW_NAMES}
    assert sources["pa"][1] == 541.0 and sources["ap"][1] == -541.0
    assert sources["lateral"][0] == sources["right_lateral"][0] == 541.0 and sources["left_lateral"][0] == -541.0


@pytest.mark.parametrize(
    ("gantry", "name", "mirrored"),
    [(0, "ap", False), (90, "right_lateral", False), (180, "pa", True), (270, "left_lateral", True)],
)
def test_gantry_angles_meet_the_named_views(gantry, name, mirrored):
    """As recorded by the detector; named views are hung as radiographs, which turns two of them round."""
    beam = ConeBeam(541.0, 949.0, 500.0, 8)
    named, turned = (v.pixel_centres_mm() for v in (beam.view(name, ISOCENTRE), beam.rotated(gantry, 0, ISOCENTRE)))
    np.testing.assert_allclose(turned[:, ::-1] if mirrored else turned, named, atol=1e-9)


def test_tilt_moves_the_source_to_the_head():
    view = PRESETS["x2ct"].rotated(180, 30, ORIGIN)
    assert view.source_mm == pytest.approx((0.0, 541 * np.cos(np.pi / 6), 541 * 0.5))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(0, 360), st.floats(-85, 85), st.tuples(*[st.floats(-500, 500)] * 3))
def test_projection_matrix_and_back(gantry, tilt, isocentre):
    beam = ConeBeam(541.0, 949.0, (300.0, 400.0), (5, 7))
    view = beam.rotated(gantry, tilt, isocentre)
    matrix = view.projection_matrix()
    for scale in (1.0, 3.5):
        again = View.from_projection_matrix(scale * matrix, 949.0, 5, 7)
        np.testing.assert_allclose(again.pixel_centres_mm(), view.pixel_centres_mm(), atol=1e-6)
        np.testing.assert_allclose(again.source_mm, view.source_mm, atol=1e-6)
    middles = (view.pixel_centres_mm() + np.array(view.source_mm)) / 2  # half-way along every ray
    column, row, depth = np.moveaxis(np.concatenate([middles, np.ones((5, 7, 1))], axis=-1) @ matrix.T, -1, 0)
    np.testing.assert_allclose(column / depth, np.tile(np.arange(7.0), (5, 1)), atol=1e-7)
    np.testing.assert_allclose(row / depth, np.tile(np.arange(5.0)[:, None], 7), atol=1e-7)
    np.testing.assert_allclose(depth, 949 / 2, rtol=1e-9)


def test_resizing_keeps_the_detector():
    view = PRESETS["perx2ct"].view("lateral", ORIGIN)
    small = view.resized(64)
    np.testing.assert_allclose(small.pixel_centres_mm().mean(axis=(0, 1)), view.pixel_centres_mm().mean(axis=(0, 1)))
    fine = view.pixel_centres_mm().reshape(64, 5, 64, 5, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small.pixel_centres_mm(), fine, atol=1e-9)


def test_contradictory_geometry_is_refused():
    with pytest.raises(InputError, match="beyond the isocentre"):
        ConeBeam(949.0, 541.0, 500.0, 320)
    with pytest.raises(InputError, match="must be finite"):
        ConeBeam(541.0, float("inf"), 500.0, 320)
    for side, pixels in ((500.0, 0), (-1.0, 320), ((500.0, 0.0), 320), (500.0, (0, 320))):
        with pytest.raises(InputError, match="not a detector"):
            ConeBeam(541.0, 949.0, side, pixels)
    beam = PRESETS["x2ct"]
    with pytest.raises(InputError, match="unknown view 'top'"):
        beam.view("top", ORIGIN)
    with pytest.raises(InputError, match="do not make an image"):
        beam.looking((0.0, 0.0, 1.0), ORIGIN)
    with pytest.raises(InputError, match="tilt lies between"):
        beam.rotated(0, 90, ORIGIN)
    with pytest.raises(InputError, match="3 x 4"):
        View.from_projection_matrix(np.zeros((3, 4)), 949.0, 5, 7)
    with pytest.raises(InputError, match="in front of the source"):
        View.from_projection_matrix(beam.view("pa", ORIGIN).projection_matrix(), -1.0, 5, 7)
