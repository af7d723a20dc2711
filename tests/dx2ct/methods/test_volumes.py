"""`method: volumes`: reconstructions that were made elsewhere, read, checked and laid where the scan lies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
import SimpleITK as sitk

from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct import layout
from dx2ct.config import SamplingOptions
from dx2ct.data.grid import CubeGrid
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_grid
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.training.runtime import Runtime
from tests.fabricate import body, cohort, rows, SIZE, tiny, train

SCAN = "scan-3"
HU = body(2).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


@pytest.fixture
def grid(data: Path) -> CubeGrid:
    return read_grid(data, SCAN, SIZE)


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Trains and reconstructs a row; its path is seen from the test's folder."""

    def make(path: str = "theirs/{scan}.nii.gz", **row: Any) -> Path:
        folder = train(tiny("volumes", {"path": str(tmp_path / path)} | row), data, tmp_path / "run")
        reconstruct_scan(SCAN, folder, SamplingOptions(), data, Runtime())
        return folder

    return make


def put(volume: Volume, folder: Path, name: str = f"{SCAN}.nii.gz") -> None:
    volume.write(folder / "theirs" / name)


def oriented(volume: Volume, axes: str) -> Volume:
    """The same anatomy, stored along other axes."""
    return Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), axes))


def delivered(run: Path, plane: str = layout.FUSED) -> NDArray[np.int16]:
    return np.asarray(read_volume(layout.reconstruction(run, SCAN, plane)).array)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LPI", "PIL", "SRA"])
def test_one_file_is_every_plane_whatever_axes_it_is_stored_along(
    axes: str, run: Callable[..., Path], grid: CubeGrid, tmp_path: Path
) -> None:
    put(oriented(grid.volume(HU), axes), tmp_path)
    done = run()
    for plane in (*PLANES, layout.FUSED):
        np.testing.assert_array_equal(delivered(done, plane), HU)
    np.testing.assert_allclose(read_volume(layout.reconstruction(done, SCAN)).centre_mm, grid.centre_mm, atol=1e-3)


def test_a_file_a_plane(run: Callable[..., Path], grid: CubeGrid, tmp_path: Path) -> None:
    for number, plane in enumerate(PLANES):
        put(grid.volume(HU + 3 * number), tmp_path, f"{plane}-{SCAN}.mha")
    done = run("theirs/{plane}-{scan}.mha")
    for number, plane in enumerate(PLANES):
        np.testing.assert_array_equal(delivered(done, plane), HU + 3 * number)
    np.testing.assert_array_equal(delivered(done), HU + 3)


def other_grid(grid: CubeGrid, kind: str) -> Volume:
    """The body on a finer grid of the same cube, half a voxel off, or on a larger one."""
    if kind == "finer":
        return CubeGrid(2 * SIZE, grid.spacing_mm / 2, grid.centre_mm).volume(body(2, 2 * SIZE).astype(np.float32))
    if kind == "shifted":
        x, y, z = grid.centre_mm
        return CubeGrid(SIZE, grid.spacing_mm, (x + grid.spacing_mm / 2, y, z)).volume(HU)
    wide = np.pad(HU, 4, constant_values=-1024)
    return CubeGrid(SIZE + 8, grid.spacing_mm, grid.centre_mm).volume(wide)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("finer", r"\(64, 64, 64\) voxels instead of \(32, 32, 32\)"),
        ("shifted", r"origin \(.*\) mm instead of \(.*\) mm"),
        ("larger", r"\(40, 40, 40\) voxels instead of \(32, 32, 32\)"),
    ],
)
def test_another_grid_is_refused_and_resampled_where_asked(
    kind: str, message: str, run: Callable[..., Path], grid: CubeGrid, tmp_path: Path
) -> None:
    put(other_grid(grid, kind), tmp_path)
    with pytest.raises(InputError, match=rf"scan-3\.nii\.gz: {message}: set resample: true in the row"):
        run()
    found = delivered(run(resample=True))
    if kind == "larger":
        np.testing.assert_array_equal(found, HU)
    assert np.abs(found - HU).mean() < 45, "edges are smeared, nothing is moved"
    assert np.abs(found[..., ::-1] - HU).mean() > 60


def with_value(array: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    changed = array.copy()
    changed[3, 4, 5] = value
    return changed


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ((HU + 1024) / 2500, r"values lie in \[0, 0\.4256\]: normalised, not HU: undo it .* HU = 2500 v - 1024"),
        ((HU + 1024) / 1250 - 1, r"values lie in \[-1, .*\]: normalised, not HU"),
        (HU + 1024, r"values lie in \[0, 1064\]: not HU, where air is near -1000"),
        (with_value(HU, np.nan), "1 voxels are NaN or infinite: fill them"),
        (with_value(HU, np.inf), "1 voxels are NaN or infinite: fill them"),
        (with_value(HU, -32768), ".* replace padding by -1024"),
    ],
    ids=["[0, 1]", "[-1, 1]", "offset", "NaN", "infinite", "padding"],
)
def test_values_that_are_no_hu_are_one_line(
    array: NDArray[np.float32], message: str, run: Callable[..., Path], grid: CubeGrid, tmp_path: Path
) -> None:
    put(grid.volume(array), tmp_path)
    with pytest.raises(InputError, match=rf"scan-3\.nii\.gz: {message}") as caught:
        run()
    assert "\n" not in str(caught.value)


def test_a_volume_mirrored_against_its_header_lies_elsewhere(
    run: Callable[..., Path], grid: CubeGrid, tmp_path: Path
) -> None:
    """As a NIfTI whose RAS affine was taken for LPS."""
    x, y, z = (float(value) for value in grid.volume().origin_mm)
    put(Volume(HU[:, ::-1, ::-1].copy(), (grid.spacing_mm,) * 3, (-x, -y, z)), tmp_path)
    with pytest.raises(InputError, match=r"scan-3\.nii\.gz: origin .* instead of"):
        run()


def test_a_missing_file_is_one_line_before_anything_is_written(data: Path, grid: CubeGrid, tmp_path: Path) -> None:
    settings = tiny("volumes", {"path": str(tmp_path / "theirs/{scan}.nii.gz")})
    with pytest.raises(InputError, match=r"scan-3\.nii\.gz: no such volume: mend the row's path \(.*\{scan\}"):
        train(settings, data, tmp_path / "run")
    several = rows({"scan-1": "train", "scan-2": "test", "scan-3": "test", "scan-4": "test"})
    with pytest.raises(InputError, match=r"scan-2\.nii\.gz: no such volume, and 2 more: mend the row's path"):
        train(settings, data, tmp_path / "run", several)
    assert not (tmp_path / "run").exists()
    put(grid.volume(HU), tmp_path)
    train(settings, data, tmp_path / "run")
    (tmp_path / "theirs" / f"{SCAN}.nii.gz").unlink()
    with pytest.raises(InputError, match=r"scan-3\.nii\.gz: no such volume: mend the row's path"):
        reconstruct_scan(SCAN, tmp_path / "run", SamplingOptions(), data, Runtime())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("theirs/volume.nii.gz", r"names no \{scan\}: every scan would have the same volume"),
        ("theirs/{scan}-{view}.nii.gz", r"only \{scan\} and \{plane\} stand for something"),
        ("theirs/{scan", r"only \{scan\} and \{plane\} stand for something"),
        ("theirs/{}/{scan}", r"only \{scan\} and \{plane\} stand for something"),
    ],
)
def test_a_path_that_is_no_template_is_refused_with_its_key(path: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"runs\.RUN\.path: .*{message}") as caught:
        tiny("volumes", {"path": path})
    assert "\n" not in str(caught.value)
