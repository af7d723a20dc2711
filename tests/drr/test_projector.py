"""The ray-caster as a linear operator: laws of A and A.T, on arrays."""

from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

import drr
from drr import ConeBeam, Projector, Volume
from drr._cupy import available
from drr.attenuation import IDENTITY
from drr.errors import InputError

GPU = pytest.mark.skipif(not available(), reason="no GPU")
BACKENDS = ["numpy", "cpu", pytest.param("cuda", marks=GPU)]
BEAM = ConeBeam(541.0, 949.0, (400.0, 500.0), (12, 20))
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
GRID = Volume.empty((9, 10, 11), (22.0, 19.0, 26.0), (40.0, -7.0, 1e3), OBLIQUE)
VIEWS = [
    BEAM.view("pa", GRID.centre_mm),
    BEAM.view("left_lateral", GRID.centre_mm),
    BEAM.rotated(30.0, 10.0, GRID.centre_mm),
]
PIXELS = [(None, 1), (None, 2), (8, 3), ((6, 5), 1), ((7, 24), 2)]


def some(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("pixels", "rays"), PIXELS)
def test_the_adjoint_is_the_transposed_operator(backend, pixels, rays):
    """<A x, y> = <x, A.T y>."""
    a = Projector(GRID, VIEWS, pixels, rays, backend)
    x, y = some(a.domain_shape), some(a.range_shape, 1)
    forth, back = a(x), a.T(y)
    assert forth.dtype == back.dtype == np.float32 and forth.shape == a.range_shape and back.shape == a.domain_shape
    assert np.vdot(forth.astype(np.float64), y) == pytest.approx(np.vdot(x.astype(np.float64), back), rel=2e-5)


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize(("pixels", "rays"), PIXELS)
def test_backends_equal_the_reference(backend, pixels, rays):
    fast, plain = (Projector(GRID, VIEWS, pixels, rays, name) for name in (backend, "numpy"))
    x, y = abs(some(fast.domain_shape)), abs(some(fast.range_shape, 1))
    np.testing.assert_allclose(fast(x), plain(x), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(fast.T(y), plain.T(y), rtol=1e-5, atol=1e-4)


def test_transposed_twice_it_is_itself():
    a = Projector(GRID, VIEWS, (6, 5), 2)
    assert a.T.T is a
    assert a.T.domain_shape == a.range_shape == (3, 6, 5)
    assert a.T.range_shape == a.domain_shape == (9, 10, 11)


def test_it_is_linear():
    a = Projector(GRID, VIEWS)
    x, y = some(a.domain_shape), some(a.domain_shape, 1)
    np.testing.assert_allclose(a(2 * x - 3 * y), 2 * a(x) - 3 * a(y), rtol=1e-4, atol=1e-2)
    assert not a(0 * x).any() and not a.T(np.zeros(a.range_shape)).any()


def test_a_pixel_is_the_mean_of_its_rays():
    x = abs(some(GRID.array.shape))
    fine = Projector(GRID, VIEWS, (3 * 12, 3 * 20))(x)
    mean = fine.reshape(3, 12, 3, 20, 3).mean(axis=(2, 4))
    np.testing.assert_array_equal(Projector(GRID, VIEWS, rays=3)(x), mean)


def test_one_ray_a_pixel_is_what_render_and_backproject_give():
    x, y = abs(some(GRID.array.shape)), some((3, 12, 20))
    there = Volume(x, GRID.spacing_mm, GRID.origin_mm, GRID.direction)
    for pixels in (None, (12, 20)):
        a = Projector(GRID, VIEWS, pixels)
        np.testing.assert_array_equal(a(x), drr.render(there, VIEWS, attenuation=IDENTITY))
        np.testing.assert_array_equal(a.T(y), drr.backproject(y, VIEWS, there))


@pytest.mark.parametrize("method", ["siddon", "joseph", "plastimatch"])
def test_hu_are_rendered_with_the_same_rays(method):
    hu = (1000 * some(GRID.array.shape)).astype(np.int16)
    there = Volume(hu, GRID.spacing_mm, GRID.origin_mm, GRID.direction)
    fine = [view.resized((24, 40)) for view in VIEWS]
    mean = drr.render(there, fine, method=method).reshape(3, 12, 2, 20, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(Projector(there, VIEWS, rays=2).render(hu, method=method), mean, rtol=1e-6)


def test_views_of_different_pixels_become_alike():
    mixed = [VIEWS[0], VIEWS[1].resized((5, 50))]
    x = abs(some(GRID.array.shape))
    np.testing.assert_allclose(Projector(GRID, mixed, 8)(x), Projector(GRID, VIEWS[:2], 8)(x), rtol=1e-4)


@pytest.mark.parametrize("turned", [np.asfortranarray, lambda x: x.astype(np.float64), lambda x: x[::-1][::-1]])
def test_arrays_of_any_layout_give_the_same(turned):
    a = Projector(GRID, VIEWS)
    x, y = some(a.domain_shape), some(a.range_shape)
    np.testing.assert_array_equal(a(turned(x)), a(x))
    np.testing.assert_array_equal(a.T(turned(y)), a.T(y))
    whole = np.arange(x.size, dtype=np.int16).reshape(x.shape)
    np.testing.assert_array_equal(a(whole), a(whole.astype(np.float32)))


def test_the_number_of_threads_changes_nothing():
    x, y = some(GRID.array.shape), some((3, 12, 20))
    one, many = (Projector(GRID, VIEWS, backend="cpu", threads=n) for n in (1, 5))
    np.testing.assert_array_equal(one(x), many(x))
    np.testing.assert_array_equal(one.T(y), many.T(y))


def test_bad_input_is_one_line_with_the_value():
    a = Projector(GRID, VIEWS)
    holed = np.zeros(a.domain_shape, np.float32)
    holed[1, 2, 3] = np.nan
    endless = np.full(a.range_shape, np.inf)
    for values, operator, message in (
        (holed[1:], a, r"shape \(8, 10, 11\) .* \(z, y, x\) = \(9, 10, 11\)"),
        (holed, a, r"nan at \(z, y, x\) = \(1, 2, 3\)"),
        (endless[0], a.T, r"shape \(12, 20\) .* \(view, row, column\) = \(3, 12, 20\)"),
        (endless, a.T, r"inf at \(view, row, column\) = \(0, 0, 0\)"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            operator(values)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"views": []}, r"\[\]"),
        ({"views": [VIEWS[0], VIEWS[1].resized(9)]}, r"\[\(9, 9\), \(12, 20\)\]"),
        ({"rays": 0}, "0 rays a side"),
        ({"pixels": (0, 4)}, r"\(3, 0, 4\)"),
        ({"rays": 10**6}, "too many"),
        ({"backend": "gpu"}, "unknown backend 'gpu'"),
    ],
)
def test_projectors_that_cannot_be_are_refused_at_once(arguments, message):
    with pytest.raises(InputError, match=message):
        Projector(**{"grid": GRID, "views": VIEWS} | arguments)


def test_it_says_what_it_is():
    assert (
        repr(Projector(GRID, VIEWS)) == "Projector((9, 10, 11) voxels of 22 x 19 x 26 mm to 3 views of 12 x 20 pixels)"
    )


def test_the_package_is_light_until_it_is_used():
    code = """import sys, drr
assert not {"numpy", "SimpleITK", "torch"} & set(sys.modules), "import drr"
assert set(drr.__all__) <= set(dir(drr)) and all(getattr(drr, name) for name in drr.__all__)
import numpy
grid = drr.Volume.empty((3, 3, 3), (9.0, 9.0, 9.0), (0.0, 0.0, 0.0))
a = drr.Projector(grid, [drr.PRESETS["x2ct"].view("pa", grid.centre_mm)], 4)
a.T(a(numpy.ones((3, 3, 3))))
assert not {"torch", "cupy", "scipy", "pydicom"} & set(sys.modules), "arrays of NumPy"
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=True)


@GPU
@pytest.mark.parametrize("backend", ["auto", "cpu", "cuda"])
def test_arrays_of_cupy_stay_on_the_gpu(backend):
    import cupy

    a, plain = Projector(GRID, VIEWS, rays=2, backend=backend), Projector(GRID, VIEWS, rays=2, backend="cpu")
    x, y = some(a.domain_shape), some(a.range_shape)
    for operator, reference, values in ((a, plain, x), (a.T, plain.T, y)):
        found = operator(cupy.asarray(values))
        assert isinstance(found, cupy.ndarray)
        np.testing.assert_allclose(found.get(), reference(values), rtol=1e-4, atol=1e-3)
    with pytest.raises(InputError, match=r"nan at \(z, y, x\) = \(0, 0, 0\)"):
        a(cupy.full(a.domain_shape, cupy.nan))
