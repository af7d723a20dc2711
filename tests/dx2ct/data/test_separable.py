"""Resampling axis by axis against ITK, which evaluates the same splines in 3D."""

import numpy as np
import pytest
import SimpleITK as sitk

from drr.volume import Volume
from dx2ct.config import VolumeSettings
from dx2ct.data.prepare import volume as stage
from dx2ct.data.prepare.separable import apply, area, bspline, linear
from dx2ct.data.prepare.volume import to_cube

RNG = np.random.default_rng(0)
HU = RNG.integers(-1024, 3000, (17, 40, 70)).astype(np.int16)
DIRECTIONS = [
    (1, 0, 0, 0, 1, 0, 0, 0, 1),
    (-1, 0, 0, 0, 1, 0, 0, 0, -1),
    (0, 0, 1, 1, 0, 0, 0, 1, 0),
    (0, -1, 0, 0, 0, -1, 1, 0, 0),
]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("interpolation", ["linear", "bspline"])
@pytest.mark.parametrize(("spacing_mm", "size"), [(1.0, 48), (0.37, 90), (3.3, 20)])
def test_equal_to_itk_in_every_direction(monkeypatch, direction, interpolation, spacing_mm, size):
    """Cubes larger than the scan, smaller, finer and coarser: also at the borders and outside."""
    volume = Volume(HU, (0.7, 0.9, 2.5), (-20.3, 11.1, 5.7), direction)
    settings = VolumeSettings(spacing_mm, size, "center", interpolation)
    fast = to_cube(volume, settings)
    monkeypatch.setattr(stage, "_patient_axes", lambda volume: None)
    itk = to_cube(volume, settings)
    difference = np.abs(fast.array.astype(int) - itk.array)
    assert fast.origin_mm == itk.origin_mm and fast.spacing_mm == itk.spacing_mm
    assert difference.max() <= 1  # values that end in .5 are rounded either way
    assert (difference > 0).mean() < 0.005


def test_a_leaning_scan_is_not_taken_for_a_parallel_one():
    angle = 1e-4
    lean = (1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle))
    assert stage._patient_axes(Volume(HU, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), lean)) is None


@pytest.mark.parametrize("weights", [linear, bspline])
def test_weights_sum_to_one_inside_and_to_nothing_outside(weights):
    matrix = weights(20, np.array([-0.51, -0.5, 0, 3.3, 19, 19.49, 19.5]))
    np.testing.assert_allclose(matrix.sum(axis=1), [0, 1, 1, 1, 1, 1, 0], atol=1e-5)
    np.testing.assert_allclose(weights(20, np.arange(20.0)), np.eye(20), atol=1e-5)  # voxels keep their values


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
def test_product_along_every_axis(dtype):
    array = RNG.integers(0, 999, (9, 40, 70)).astype(dtype)
    weights = [area(9, 4), area(40, 33), area(70, 65)]
    plain = np.einsum("az,by,cx,zyx->abc", *[one.astype(float) for one in weights], array.astype(float), optimize=True)
    np.testing.assert_allclose(apply(weights, array), plain, rtol=1e-4)


def test_itk_is_what_scipy_interpolates():
    """So that neither of the two libraries is taken at its word."""
    from scipy import ndimage

    volume = Volume(HU, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    cube = to_cube(volume, VolumeSettings(0.5, 30, "center", "bspline"))
    axes = [(start + np.arange(30) * 0.5) for start in reversed(cube.origin_mm)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    target = ndimage.map_coordinates(HU.astype(float), points, order=3, mode="mirror")
    np.testing.assert_allclose(cube.array, np.clip(target, -1024, HU.max()), atol=0.51)


def test_sitk_is_used_for_leaning_scans_only(monkeypatch):
    monkeypatch.setattr(sitk, "Resample", lambda *arguments: pytest.fail("ITK was asked"))
    to_cube(Volume(HU, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), VolumeSettings(1.0, 8, "center", "linear"))


def test_nothing_looks_for_libraries_while_others_may_import_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search in a loader's thread waited for ever for a thread that imported an extension, and that one for it."""
    monkeypatch.setattr("threadpoolctl.ThreadpoolController._load_libraries", lambda _: pytest.fail("a search"))
    assert apply([area(4, 2)] * 3, np.ones((4, 4, 4))).shape == (2, 2, 2)
    assert bspline(4, np.arange(4.0)).shape == (4, 4)
