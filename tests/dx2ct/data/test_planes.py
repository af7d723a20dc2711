import numpy as np
import pytest

from drr.volume import Volume
from dx2ct.config import SlicesSettings
from dx2ct.data.planes import from_plane, PLANES, to_plane
from dx2ct.data.prepare.slices import area_resample, make_slices
from dx2ct.data.window import to_hu, to_network


@pytest.mark.parametrize("plane", PLANES)
def test_stack_round_trip(plane):
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    np.testing.assert_array_equal(from_plane(to_plane(volume, plane), plane), volume)


def test_stacks_lie_as_a_radiologist_hangs_them():
    z, y, x = np.meshgrid(range(2), range(3), range(4), indexing="ij")
    place = np.stack([x, y, z], axis=-1)
    first = {plane: tuple(to_plane(place, plane)[0, 0, 0]) for plane in PLANES}
    next_row = {plane: tuple(to_plane(place, plane)[0, 1, 0]) for plane in PLANES}
    next_column = {plane: tuple(to_plane(place, plane)[0, 0, 1]) for plane in PLANES}
    assert first == {"axial": (0, 0, 0), "coronal": (0, 0, 1), "sagittal": (0, 0, 1)}
    assert next_row == {"axial": (0, 1, 0), "coronal": (0, 0, 0), "sagittal": (0, 0, 0)}
    assert next_column == {"axial": (1, 0, 0), "coronal": (1, 0, 1), "sagittal": (0, 1, 1)}


@pytest.mark.parametrize(("old", "new"), [(8, 8), (8, 4), (10, 4), (7, 3)])
def test_area_resampling_keeps_mean_and_constants(old, new):
    array = np.random.default_rng(0).integers(-1000, 1000, (old, old, old)).astype(np.int16)
    small = area_resample(array, new)
    assert small.shape == (new, new, new)
    assert small.mean() == pytest.approx(array.mean(), abs=1e-2)
    np.testing.assert_allclose(area_resample(np.full((old, old, old), 37, np.int16), new), 37, rtol=1e-5)


def test_area_resampling_by_a_whole_factor_is_the_block_mean():
    array = np.random.default_rng(0).integers(-1000, 1000, (6, 6, 6)).astype(np.int16)
    blocks = array.reshape(3, 2, 3, 2, 3, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(area_resample(array, 3), blocks, atol=1e-3)


def test_golden_stack(tmp_path):
    """The numbers of stage slices on a fixed volume."""
    z, y, x = np.meshgrid(*[np.arange(10)] * 3, indexing="ij")
    Volume((100 * z + 10 * y + x - 1000).astype(np.int16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)).write(tmp_path / "v.mha")
    make_slices(tmp_path / "v.mha", SlicesSettings(size=4), tmp_path)
    stack = np.load(tmp_path / "coronal.npy")
    message = "numbers changed: raise the version of SlicesSettings in dx2ct/config/data.py"
    assert stack.dtype == np.int16 and stack.shape == (4, 4, 4), message
    assert [int(stack[0, 0, 0]), int(stack[1, 2, 3]), int(stack[3, 3, 0])] == GOLDEN, message


GOLDEN = [-171, -640, -837]


def test_window():
    hu = np.array([-3000, -1024, 226, 1476, 3000], np.int16)
    np.testing.assert_allclose(to_network(hu), [-1, -1, 0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(to_hu(to_network(hu)), [-1024, -1024, 226, 1476, 1476], atol=1e-3)
