"""Laws of the ray-caster, and parity of its backends with the plain reference."""

import math
from pathlib import Path
import shutil
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from drr import _cpu, backproject, render
from drr._cupy import available, source_text
from drr._rays import rays_through
from drr.attenuation import IDENTITY, Mixture, PLASTIMATCH, water
from drr.errors import InputError
from drr.geometry import ConeBeam, PRESETS, VIEW_NAMES
from drr.volume import Volume

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
BEAM = ConeBeam(541.0, 949.0, 500.0, 24)
FAST = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not available(), reason="no GPU"))]
BACKENDS = ["numpy", *FAST]
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
PERMUTED = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-900, 1500, shape).astype(np.int16)


def all_views(volume: Volume, beam: ConeBeam = BEAM):
    """Every named view, three along no axis, and one from the head."""
    centre = volume.centre_mm
    turned = [beam.rotated(*angles, centre) for angles in ((45, 0), (200, 30), (281, -70))]
    return [beam.view(name, centre) for name in VIEW_NAMES] + turned + [beam.looking((0, 0, 1), centre, up=(0, 1, 0))]


def error(image: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(image - reference) / np.linalg.norm(reference))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("method", ["siddon", "joseph", "plastimatch"])
@pytest.mark.parametrize("direction", [STRAIGHT, OBLIQUE, PERMUTED])
@pytest.mark.parametrize("shape", [(20, 24, 28), (1, 24, 28), (20, 1, 3), (9, 40, 1)])
def test_backends_equal_the_reference(backend, method, direction, shape):
    volume = Volume(noise(shape), (11.0, 9.5, 13.0), (40.0, -7.0, 1e3), direction)
    views = all_views(volume)
    reference = render(volume, views, "numpy", method)
    assert (reference > 0).any(axis=(1, 2)).sum() >= 6, "a plate of voxels seen edge on may slip between the rays"
    for image, plain in zip(render(volume, views, backend, method), reference, strict=True):
        assert np.linalg.norm(image - plain) <= 1e-6 * np.linalg.norm(plain)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("model", [PLASTIMATCH, water(60.0), Mixture(40.0), IDENTITY], ids=str)
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8, np.float64])
def test_every_model_on_every_type_of_voxel(backend, model, dtype):
    hu = noise((12, 14, 16)).clip(0, 255) if dtype == np.uint8 else noise((12, 14, 16))
    hu.ravel()[:4] = [0, 1, 2, 255] if dtype == np.uint8 else [-32768, 32767, -800, -1000]
    volume = Volume(hu.astype(dtype), (11.0, 12.0, 13.0), (0.0, 0.0, 0.0))
    views = [BEAM.view("pa", volume.centre_mm), BEAM.rotated(30, 10, volume.centre_mm)]
    assert (
        error(render(volume, views, backend, attenuation=model), render(volume, views, "numpy", attenuation=model))
        < 1e-6
    )


@pytest.mark.parametrize("name", ["pa", "lateral"])
@pytest.mark.parametrize(
    ("spacing", "beam"),
    [
        ((2.0, 2.0, 0.5), BEAM),  # several voxels of z crossed in one slab
        ((0.4, 3.0, 0.7), ConeBeam(200.0, 300.0, 700.0, 30)),  # and of x
        ((1.0, 1.0, 1.0), ConeBeam(30.0, 949.0, 500.0, 24)),  # the source inside the volume
        ((1.0, 1.0, 1.0), ConeBeam(541.0, 550.0, 60.0, 24)),  # the detector inside the volume
        ((1.0, 1.0, 1.0), ConeBeam(541.0, 949.0, (300.0, 100.0), (7, 65))),  # not square
        ((5.0, 5.0, 5.0), ConeBeam(541.0, 949.0, 60.0, 200)),  # many rays a voxel
    ],
)
def test_rays_along_the_axes(name, spacing, beam):
    """The path that shares tables between rays, where its tables are least simple."""
    volume = Volume(noise((40, 44, 48)), spacing, (3.0, 4.0, 5.0))
    views = [beam.view(name, tuple(np.array(volume.centre_mm) + np.array([3.3, -2.1, 1.7])))]
    for method in ("siddon", "joseph"):
        assert error(render(volume, views, "cpu", method), render(volume, views, "numpy", method)) < 1e-6


geometries = st.builds(
    lambda iso, beyond, side, rows, columns: ConeBeam(iso, iso + beyond, side, (rows, columns)),
    st.floats(50, 2000), st.floats(1, 1000), st.floats(50, 900), st.integers(1, 20), st.integers(1, 20),
)  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(geometries, st.floats(0, 360), st.floats(-80, 80), st.tuples(*[st.floats(-50, 50)] * 3), st.integers(0, 99))
def test_any_geometry(beam, gantry, tilt, isocentre, seed):
    volume = Volume(noise((7, 8, 9), seed), (21.0, 13.0, 17.0), (-84.0, -50.0, -60.0))
    views = [beam.rotated(gantry, tilt, isocentre), beam.view("lateral", isocentre)]
    reference = render(volume, views, "numpy")
    assert np.abs(render(volume, views, "cpu") - reference).max() <= 1e-6 * reference.max(initial=1.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unit_impulse_integrates_to_its_chord(backend):
    """A single voxel of mu 1 on the central ray: the ray crosses one voxel edge, 10 mm."""
    mu = np.zeros((5, 5, 5), np.float32)
    mu[2, 2, 2] = 1
    volume = Volume(mu, (10.0, 10.0, 10.0), (-20.0, -20.0, -20.0))
    beam = ConeBeam(541.0, 949.0, 3.0, 3)
    for name in VIEW_NAMES:
        image = render(volume, [beam.view(name, volume.centre_mm)], backend, attenuation=IDENTITY)[0]
        assert image[1, 1] == pytest.approx(10.0, rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_uniform_box_gives_chord_length_times_mu(backend):
    """Against the chord of every ray with the box, computed here by the slab method."""
    volume = Volume(np.zeros((12, 10, 14), np.int16), (9.0, 12.0, 8.0), (5.0, 6.0, 7.0))
    low = np.array(volume.origin_mm) - np.array(volume.spacing_mm) / 2
    high = low + np.array(volume.array.shape[::-1]) * volume.spacing_mm
    for view, image in zip(all_views(volume), render(volume, all_views(volume), backend), strict=True):
        ray = view.pixel_centres_mm() - view.source_mm
        with np.errstate(divide="ignore"):
            a, b = ((edge - np.array(view.source_mm)) / ray for edge in (low, high))
        chord = np.clip(np.maximum(a, b).min(-1) - np.minimum(a, b).max(-1), 0, None) * np.linalg.norm(ray, axis=-1)
        np.testing.assert_allclose(image, chord * 0.022, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["siddon", "joseph"])
def test_linear_in_attenuation(method):
    a, b = np.random.default_rng(1).random((2, 9, 10, 11), dtype=np.float32)

    def project(mu):
        grid = Volume(mu, (20.0, 20.0, 20.0), (0.0, 0.0, 0.0))
        return render(grid, all_views(grid), "cpu", method, IDENTITY)

    np.testing.assert_allclose(project(2 * a + 3 * b), 2 * project(a) + 3 * project(b), rtol=1e-5, atol=1e-4)


def test_moving_patient_and_geometry_together_changes_nothing():
    here = Volume(noise((9, 10, 11)), (20.0, 21.0, 22.0), (0.0, 0.0, 0.0))
    there = Volume(here.array, here.spacing_mm, (512.0, -128.0, 64.0))
    np.testing.assert_allclose(render(here, all_views(here)), render(there, all_views(there)), rtol=1e-5, atol=1e-5)


def test_mirrored_patient_gives_mirrored_pa_and_the_same_sum():
    volume = Volume(noise((9, 10, 11)), (20.0, 20.0, 20.0), (0.0, 0.0, 0.0))
    mirror = Volume(volume.array[:, :, ::-1].copy(), volume.spacing_mm, volume.origin_mm)
    pa, mirrored = (render(v, [BEAM.view("pa", v.centre_mm)])[0] for v in (volume, mirror))
    np.testing.assert_allclose(mirrored, pa[:, ::-1], rtol=1e-5)
    assert mirrored.sum() == pytest.approx(pa.sum(), rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_permuted_axes_with_a_permuted_direction_are_the_same_patient(backend):
    volume = Volume(noise((9, 10, 11)), (20.0, 21.0, 22.0), (3.0, 4.0, 5.0))
    swapped = Volume(
        np.ascontiguousarray(volume.array.transpose(2, 0, 1)[::-1]),  # axes y, z, -x
        (21.0, 22.0, 20.0),
        (3.0 + 10 * 20.0, 4.0, 5.0),
        (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    )
    assert swapped.centre_mm == pytest.approx(volume.centre_mm)
    for a, b in zip(
        render(volume, all_views(volume), backend), render(swapped, all_views(volume), backend), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-5)


def test_the_number_of_threads_changes_nothing():
    volume = Volume(noise((40, 41, 42)), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    one, many = (render(volume, all_views(volume), "cpu", threads=n) for n in (1, 7))
    np.testing.assert_array_equal(one, many)
    one, many = (backproject(one, all_views(volume), volume, "cpu", threads=n) for n in (1, 7))
    np.testing.assert_array_equal(one, many)


def test_handedness():
    """A dense ball at the patient's left, front and top shows where the module text of drr.geometry says."""
    hu = np.full((21, 21, 21), -1000, np.int16)
    hu[18, 3, 17] = 3000  # z to the head, y small = anterior, x large = patient left
    volume = Volume(hu, (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    beam = ConeBeam(541.0, 949.0, 500.0, 50)
    right_of_centre = {"pa": True, "ap": True, "lateral": False, "right_lateral": False, "left_lateral": False}
    for name, expected in right_of_centre.items():
        image = render(volume, [beam.view(name, volume.centre_mm)])[0]
        row, column = np.unravel_index(image.argmax(), image.shape)
        assert row < 25 and (column > 25) == expected, name


def test_what_is_nearer_the_source_is_magnified_more():
    hu = np.full((3, 41, 41), -1000, np.int16)
    hu[1, 38, 30] = hu[1, 2, 10] = 3000  # posterior on the left, anterior on the right, equally far off the axis
    volume = Volume(hu, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    for name, wider in (("pa", "left"), ("ap", "right")):
        profile = render(volume, [PRESETS["x2ct"].view(name, volume.centre_mm)])[0].max(axis=0)
        left, right = 159.5 - profile[:160].argmax(), profile[160:].argmax() + 0.5
        assert (right > left) == (wider == "left"), name


def test_rays_that_miss_give_zero():
    """A cube of 40 mm at the isocentre throws a shadow of 40 x 949 / (541 - 20) = 73 mm on a detector of 500 mm."""
    volume = Volume(np.zeros((4, 4, 4), np.int16), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    view = BEAM.view("pa", volume.centre_mm)
    image = render(volume, [view])[0]
    off_axis = np.abs(view.pixel_centres_mm() - view.pixel_centres_mm().mean(axis=(0, 1))).max(axis=-1)
    assert (image[off_axis > 37] == 0).all() and (image[off_axis < 33] > 0).all() and (off_axis < 33).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_backprojection_is_the_adjoint(backend):
    """<A x, y> = <x, A' y>."""
    rng = np.random.default_rng(2)
    grid = Volume(rng.random((14, 15, 16), dtype=np.float32), (11.0, 9.5, 13.0), (40.0, -7.0, 1e3), OBLIQUE)
    views = all_views(grid)
    y = rng.standard_normal((len(views), 24, 24)).astype(np.float32)
    forward = np.vdot(render(grid, views, backend, attenuation=IDENTITY).astype(np.float64), y)
    assert np.vdot(grid.array.astype(np.float64), backproject(y, views, grid, backend)) == pytest.approx(
        forward, rel=1e-5
    )


def test_golden_numbers():
    """The integral of a fixed analytic phantom: a ball of 300 HU, 80 mm off centre, in water, in a box of air."""
    z, y, x = np.meshgrid(*[np.arange(-155, 156, 10.0)] * 3, indexing="ij")
    hu = np.where(x**2 / 150**2 + y**2 / 110**2 < 1, 0, -1000) + np.where((x - 80) ** 2 + y**2 + z**2 < 40**2, 300, 0)
    volume = Volume(hu.astype(np.int16), (10.0, 10.0, 10.0), (-155.0, -155.0, -155.0))
    pa, lateral = render(volume, [BEAM.view(name, volume.centre_mm) for name in ("pa", "lateral")])
    message = "rendered numbers changed: raise the version of XraySettings in dx2ct/config/data.py"
    assert [pa.sum(), pa[12, 16], lateral.sum(), lateral[12, 12]] == pytest.approx(GOLDEN, rel=1e-5), message


GOLDEN = [2350.7285, 4.819633, 2417.585, 7.1288586]


def test_bad_input_is_refused():
    volume = Volume(noise((3, 3, 3)), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    views = [BEAM.view("pa", volume.centre_mm)]
    with pytest.raises(InputError, match="unknown backend 'gpu'"):
        render(volume, views, "gpu")
    with pytest.raises(InputError, match="unknown method 'exact'"):
        render(volume, views, method="exact")
    if not available():
        with pytest.raises(InputError, match="needs CuPy and a GPU"):
            render(volume, views, "cuda")
    with pytest.raises(InputError, match="not finite"):
        render(Volume(np.full((3, 3, 3), np.nan, np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), views)
    with pytest.raises(InputError, match="one number of rows"):
        render(volume, [*views, BEAM.with_pixels(9).view("pa", volume.centre_mm)])
    with pytest.raises(InputError, match="too many"):
        render(volume, [BEAM.with_pixels(2**20).view("pa", volume.centre_mm)])
    with pytest.raises(InputError, match=r"shape \(2, 24, 24\)"):
        backproject(np.zeros((2, 24, 24), np.float32), views, volume)


def test_without_a_compiler_the_reference_renders_and_says_so(tmp_path: Path):
    """In a process of its own with an empty cache and no compiler on its path."""
    code = (
        "import numpy as np, drr\nfrom drr.volume import Volume\nfrom drr.geometry import ConeBeam\n"
        "volume = Volume(np.zeros((4, 4, 4), np.int16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))\n"
        "view = ConeBeam(541.0, 949.0, 6.0, 5).view('pa', volume.centre_mm)\n"
        "print(drr.render(volume, [view])[0, 2, 2])\n"
        "drr.render(volume, [view], 'cpu')"
    )
    environment = {"PATH": "/nonexistent", "DRR_CACHE": str(tmp_path), "CUDA_VISIBLE_DEVICES": "", "CXX": "no-compiler"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True)
    assert float(done.stdout) == pytest.approx(4 * 0.022, rel=1e-6)
    assert "warning: rendering with the slow reference in NumPy" in done.stderr
    assert "InputError: backend cpu cannot be built here" in done.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(NVCC is None, reason="no nvcc")
def test_cuda_kernels_compile(tmp_path: Path):
    text = tmp_path / "kernels.cu"
    text.write_text(source_text())
    command = [NVCC, "-ptx", "-std=c++17", "-arch=compute_90", "-Werror=all-warnings", "-o", tmp_path / "k.ptx", text]
    subprocess.run(command, check=True)
    ptx = (tmp_path / "k.ptx").read_text()
    assert all(f".entry {name}(" in ptx for name in ("render_int16", "render_float32", "backproject"))


def test_a_source_far_away_casts_parallel_rays():
    """A source at 100 m casts parallel rays: the mean over the image is the mean column sum."""
    volume = Volume(noise((6, 7, 8)), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    beam = ConeBeam(1e8, 1e8 + 100.0, (60.0, 80.0), (60, 80))
    image = render(volume, [beam.view("pa", volume.centre_mm)])[0]
    expected = PLASTIMATCH(volume.array).sum(axis=1)[::-1] * 10
    np.testing.assert_allclose(image.reshape(6, 10, 8, 10).mean(axis=(1, 3)), expected, rtol=1e-4)
    assert math.isclose(image.mean(), expected.mean(), rel_tol=1e-4)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_a_negative_number_of_threads_is_refused(backend: str):
    """An empty range of workers would leave the image as it lay in memory."""
    volume = Volume(noise((6, 7, 8)), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    views = [BEAM.with_pixels(5).view("pa", volume.centre_mm)]
    with pytest.raises(InputError, match="-1 threads cannot compute"):
        render(volume, views, backend, threads=-1)
    with pytest.raises(InputError, match="-1 threads cannot compute"):
        backproject(np.ones((1, 5, 5), np.float32), views, volume, backend, threads=-1)


def test_without_memory_the_tables_of_a_view_are_an_error(monkeypatch: pytest.MonkeyPatch):
    class Poor:
        """The library on a machine without memory."""

        def axis_available(self) -> int:
            return 1

        def axis_view(self, *_: object) -> None:
            return None

    monkeypatch.setattr(_cpu, "_library", Poor)
    volume = Volume(noise((6, 7, 8)), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    with pytest.raises(MemoryError):
        render(volume, [BEAM.with_pixels(5).view("pa", volume.centre_mm)], "cpu", "joseph")


def test_joseph_s_rays_steeper_than_one_voxel_across_for_one_along_go_their_own_way():
    """Their main axis changes within the image, which the path along one axis cannot know."""
    volume = Volume(noise((20, 6, 20)), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    # 120 mm along y and up to 200 mm across: the outer rays climb 1.67 voxels for one along
    view = ConeBeam(60.0, 120.0, 400.0, 24).view("pa", volume.centre_mm)
    steep = render(volume, [view], "cpu", "joseph")
    np.testing.assert_allclose(steep, render(volume, [view], "numpy", "joseph"), rtol=2e-4, atol=1e-4)
    rays = rays_through(volume, view)
    assert _cpu._steepest(rays, 1) > 1 and _cpu._axes(rays, volume.array.shape, "joseph") is None
    assert _cpu._axes(rays, volume.array.shape, "siddon") is not None, "which cuts its slabs into thinner parts"


def test_an_error_of_a_thread_is_the_callers():
    def work(job: int) -> None:
        if job == 3:
            raise IndexError("job 3")

    with pytest.raises(IndexError, match="job 3"):
        _cpu._each(2, work, range(8))
