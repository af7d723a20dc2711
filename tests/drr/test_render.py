"""Laws of the ray-caster, and parity of its backends."""

import ctypes
from pathlib import Path
import shutil
import subprocess

import numpy as np
import pytest

from drr._cupy import available, source_text
from drr.attenuation import MU_WATER_PER_MM, plastimatch
from drr.errors import InputError
from drr.geometry import ConeBeam, PRESETS
from drr.render import project, render
from drr.volume import Volume

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
BEAM = ConeBeam(541.0, 949.0, 500.0, 24)
BACKENDS = ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.skipif(not available(), reason="no GPU"))]
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def _noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-900, 1500, shape).astype(np.int16)


def _views(volume: Volume, beam: ConeBeam = BEAM):
    return [beam.view(name, volume.centre_mm) for name in ("pa", "lateral")]


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), OBLIQUE])
@pytest.mark.parametrize("shape", [(20, 24, 28), (1, 24, 28), (20, 1, 3)])
def test_compiled_path_equals_reference(shape, direction):
    volume = Volume(_noise(shape), (11.0, 9.5, 13.0), (40.0, -7.0, 1e3), direction)
    reference = render(volume, _views(volume), "numpy")
    assert np.linalg.norm(render(volume, _views(volume), "cpu") - reference) <= 1e-6 * np.linalg.norm(reference)


@pytest.mark.skipif(not available(), reason="no GPU")
def test_cuda_path_equals_reference():
    volume = Volume(_noise((20, 24, 28)), (11.0, 9.5, 13.0), (40.0, -7.0, 1e3), OBLIQUE)
    reference = render(volume, _views(volume), "numpy")
    assert np.linalg.norm(render(volume, _views(volume), "cuda") - reference) <= 1e-5 * np.linalg.norm(reference)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_arithmetic_of_the_cuda_kernel_compiled_for_the_host(tmp_path: Path):
    """The per-ray text that the GPU compiles gives the reference's numbers when a C++ compiler builds it."""
    wrapper = """
    extern "C" void rays(const float* mu, int nx, int ny, int nz, const double* s, const double* e, int n, double* out)
    { for (int i = 0; i < n; i++) out[i] = siddon(mu, nx, ny, nz, s, e + 3 * i); }
    """
    text = tmp_path / "siddon.cpp"
    text.write_text(source_text().split("// One thread a ray")[0] + wrapper)
    library = tmp_path / "siddon.so"
    subprocess.run(["g++", "-O2", "-shared", "-fPIC", "-o", library, text], check=True)
    volume = Volume(_noise((20, 24, 28)), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    mu = plastimatch(volume.array)
    for view in _views(volume):
        ends = np.ascontiguousarray(view.pixel_centres_mm().reshape(-1, 3) / 10)
        source = np.array(view.source_mm) / 10
        out = np.empty(len(ends))
        pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (mu, source, ends, out)]
        ctypes.CDLL(str(library)).rays(pointers[0], 28, 24, 20, pointers[1], pointers[2], len(ends), pointers[3])
        ours = out.reshape(24, 24) * np.linalg.norm(ends - source, axis=1).reshape(24, 24) * 10
        reference = project(mu, volume, [view], "numpy")[0]
        assert np.linalg.norm(ours - reference) <= 1e-6 * np.linalg.norm(reference)


@pytest.mark.skipif(NVCC is None, reason="no nvcc")
def test_cuda_kernel_compiles(tmp_path: Path):
    text = tmp_path / "siddon.cu"
    text.write_text(source_text())
    subprocess.run([NVCC, "-ptx", "-std=c++17", "-arch=compute_90", "-o", tmp_path / "siddon.ptx", text], check=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unit_impulse_integrates_to_its_chord(backend):
    """A single voxel of mu 1 on the central ray: the ray crosses one voxel edge, 10 mm."""
    mu = np.zeros((5, 5, 5), np.float32)
    mu[2, 2, 2] = 1
    volume = Volume(mu, (10.0, 10.0, 10.0), (-20.0, -20.0, -20.0))
    beam = ConeBeam(541.0, 949.0, 3.0, 3)
    for image in project(mu, volume, _views(volume, beam), backend):
        assert image[1, 1] == pytest.approx(10.0, rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_uniform_cube_gives_chord_length_times_mu(backend):
    """Against the chord of every ray with the box, computed here by the slab method."""
    volume = Volume(np.zeros((12, 10, 14), np.int16), (9.0, 12.0, 8.0), (5.0, 6.0, 7.0))
    low = np.array(volume.origin_mm) - np.array(volume.spacing_mm) / 2
    high = low + np.array(volume.array.shape[::-1]) * volume.spacing_mm
    for view, image in zip(_views(volume), render(volume, _views(volume), backend), strict=True):
        ray = view.pixel_centres_mm() - view.source_mm
        with np.errstate(divide="ignore"):
            a, b = ((edge - np.array(view.source_mm)) / ray for edge in (low, high))
        chord = np.clip(np.maximum(a, b).min(-1) - np.minimum(a, b).max(-1), 0, None) * np.linalg.norm(ray, axis=-1)
        np.testing.assert_allclose(image, chord * MU_WATER_PER_MM, rtol=1e-5, atol=1e-6)


def test_linear_in_attenuation():
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 9, 10, 11), dtype=np.float32)
    grid = Volume(a, (20.0, 20.0, 20.0), (0.0, 0.0, 0.0))
    views = _views(grid)
    both = project(2 * a + 3 * b, grid, views, "cpu")
    np.testing.assert_allclose(both, 2 * project(a, grid, views, "cpu") + 3 * project(b, grid, views, "cpu"), rtol=1e-5)


def test_moving_patient_and_geometry_together_changes_nothing():
    here = Volume(_noise((9, 10, 11)), (20.0, 21.0, 22.0), (0.0, 0.0, 0.0))
    there = Volume(here.array, here.spacing_mm, (512.0, -128.0, 64.0))
    np.testing.assert_allclose(render(here, _views(here)), render(there, _views(there)), rtol=1e-5)


def test_mirrored_patient_gives_mirrored_pa():
    volume = Volume(_noise((9, 10, 11)), (20.0, 20.0, 20.0), (0.0, 0.0, 0.0))
    mirror = Volume(volume.array[:, :, ::-1].copy(), volume.spacing_mm, volume.origin_mm)
    pa, mirrored = (render(v, _views(v)[:1])[0] for v in (volume, mirror))
    np.testing.assert_allclose(mirrored, pa[:, ::-1], rtol=1e-5)


def test_handedness():
    """A dense ball at the patient's left, front and top shows where the module text of drr.geometry says."""
    hu = np.full((21, 21, 21), -1000, np.int16)
    hu[18, 3, 17] = 3000  # z to the head, y small = anterior, x large = patient left
    volume = Volume(hu, (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    pa, lateral = render(volume, _views(volume, ConeBeam(541.0, 949.0, 500.0, 50)))
    row, column = np.unravel_index(pa.argmax(), pa.shape)
    assert row < 25 and column > 25, "PA: head up, patient left on the image's right"
    row, column = np.unravel_index(lateral.argmax(), lateral.shape)
    assert row < 25 and column < 25, "lateral: head up, anterior on the image's left"


def test_what_is_nearer_the_source_is_magnified_more():
    hu = np.full((3, 41, 41), -1000, np.int16)
    hu[1, 38, 30] = hu[1, 2, 10] = 3000  # posterior on the left, anterior on the right, equally far off the axis
    volume = Volume(hu, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    pa = render(volume, [PRESETS["x2ct"].view("pa", volume.centre_mm)])[0]
    profile = pa.max(axis=0)
    left, right = profile[:160].argmax(), 160 + profile[160:].argmax()
    assert right - 159.5 > 159.5 - left, "PA rays start behind the patient"


def test_rays_that_miss_give_zero():
    """A cube of 40 mm at the isocentre throws a shadow of 40 x 949 / (541 - 20) = 73 mm on a detector of 500 mm."""
    volume = Volume(np.zeros((4, 4, 4), np.int16), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0))
    view = BEAM.view("pa", volume.centre_mm)
    image = render(volume, [view])[0]
    off_axis = np.abs(view.pixel_centres_mm() - view.pixel_centres_mm().mean(axis=(0, 1))).max(axis=-1)
    assert (image[off_axis > 37] == 0).all() and (image[off_axis < 33] > 0).all() and (off_axis < 33).any()


def test_golden_numbers():
    """The integral of a fixed analytic phantom: a ball of 300 HU, 80 mm off centre, in water, in a box of air."""
    z, y, x = np.meshgrid(*[np.arange(-155, 156, 10.0)] * 3, indexing="ij")
    hu = np.where(x**2 / 150**2 + y**2 / 110**2 < 1, 0, -1000) + np.where((x - 80) ** 2 + y**2 + z**2 < 40**2, 300, 0)
    volume = Volume(hu.astype(np.int16), (10.0, 10.0, 10.0), (-155.0, -155.0, -155.0))
    pa, lateral = render(volume, _views(volume))
    message = "rendered numbers changed: bump XRAY_VERSION in dx2ct/data/prepare.py and in rules/common.smk"
    assert [pa.sum(), pa[12, 16], lateral.sum(), lateral[12, 12]] == pytest.approx(GOLDEN, rel=1e-5), message


GOLDEN = [2350.7285, 4.819633, 2417.585, 7.1288586]


def test_plastimatch_rule():
    hu = np.array([-1024, -801, -800, -799, 0, 1000, 3000], np.int16)
    expected = [0, 0, 0, 0.022 * 0.201, 0.022, 0.044, 0.088]
    np.testing.assert_allclose(plastimatch(hu), expected, rtol=1e-5)


def test_bad_backends_and_values_are_refused():
    volume = Volume(_noise((3, 3, 3)), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="unknown backend 'gpu'"):
        render(volume, _views(volume), "gpu")
    if not available():
        with pytest.raises(InputError, match="needs CuPy and a GPU"):
            render(volume, _views(volume), "cuda")
    holed = Volume(np.full((3, 3, 3), np.nan, np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="not finite"):
        render(holed, _views(volume))
