"""The embedded cohort: anatomy on the right side, HU of the right size, genuine DICOM, numbers that do not drift."""

from dataclasses import replace
from io import BytesIO
from itertools import product
from pathlib import Path
import zipfile

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID
import pytest
import SimpleITK as sitk

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import PhantomSettings
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.dicom_write import ct_files, Encoding, store, uid
from dx2ct.data.sources.phantom.anatomy import draw_anatomy, render
from dx2ct.data.sources.phantom.anatomy.surfaces import lung
from dx2ct.data.sources.phantom.series import acquire, draw_scan, LICENSE, scan_axes, series_uid, write_phantom
from dx2ct.data.sources.phantom.table import PATH, RANKING, RANKING_PATH, SPLIT, table
from tests.conftest import ROOT

BUMP = "the phantoms' numbers changed: raise the version of PhantomSettings in dx2ct/config/data.py, then write the "
BUMP += "sheets again with `python -m dx2ct.data.sources.phantom.table`"
SEEDS = range(1, len(SPLIT) + 1)
SMALL = 4  # the seed with the fewest voxels
PLAIN = Encoding(-1024, True, -2000, True, False, False, False, 2.0)


class Grid:
    """A patient rendered at 4 mm, asked for HU at points of the patient frame."""

    def __init__(self, seed: int) -> None:
        self.anatomy = a = draw_anatomy(seed)
        self.x = self.y = np.arange(-210, 211, 4.0)
        self.z = np.arange(a.base - 40, a.apex + 30, 4.0)
        axes = (axis + shift for axis, shift in zip((self.x, self.y, self.z), a.shift_mm, strict=True))
        self.hu = render(a, *axes)

    def at(self, point) -> float:
        x, y, z = (int(np.abs(axis - p).argmin()) for axis, p in zip((self.x, self.y, self.z), point, strict=True))
        return float(self.hu[z, y, x])


@pytest.fixture(scope="module", params=(1, 2, 8, 13, 22))
def grid(request) -> Grid:
    return Grid(request.param)


@pytest.fixture(scope="module")
def small_zip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("phantom") / "phantom.zip"
    write_phantom("phantom-004", PhantomSettings(SMALL), path)
    return path


def test_table_is_current():
    assert (ROOT / PATH).read_text(encoding="utf-8") == table(SPLIT), BUMP


def test_ranking_table_is_current():
    first = table(RANKING[:5], first=len(SPLIT) + 1)
    assert (ROOT / RANKING_PATH).read_text(encoding="utf-8").startswith(first), BUMP


@pytest.mark.parametrize(("path", "split"), [(PATH, SPLIT), (RANKING_PATH, RANKING)])
def test_table_is_a_sheet(path, split):
    rows = read_sheet(ROOT / path)
    assert [row.split for row in rows] == split
    assert [row.path for row in rows] == [f"data/raw/{row.scan}.zip" for row in rows]


def test_heart_is_left_and_liver_right(grid):
    a = grid.anatomy
    assert a.liver_dome[0] < 0 < a.heart[0]
    assert 30 < grid.at(a.heart) < 260
    assert 50 < grid.at(a.liver_dome) < 130
    lungs = grid.hu[np.abs(grid.z - a.heart[2]).argmin()] < -700
    inside = lungs & (np.abs(grid.y)[:, None] < a.half_depth - 25) & (np.abs(grid.x) < a.half_width - 25)
    assert inside[:, grid.x < 0].sum() > 1.15 * inside[:, grid.x > 0].sum(), "the heart should take room from the left"


def test_right_hemidiaphragm_is_higher(grid):
    a = grid.anatomy
    lung = (grid.hu > -950) & (grid.hu < -700)

    def top(side):
        """Lowest height at which most of a patch beside the heart is lung."""
        near_x = np.abs(grid.x - side * 0.6 * a.cavity_half_width) < 14
        near_y = np.abs(grid.y - 20) < 14
        share = lung[:, near_y][:, :, near_x].mean(axis=(1, 2))
        return grid.z[np.flatnonzero(share > 0.5).min()]

    assert top(-1) - top(1) == pytest.approx(a.dome_step, abs=8)


def test_airways_aorta_and_gas_are_where_they_belong(grid):
    a = grid.anatomy
    x, y, z = a.carina
    assert grid.at((x, y, z + 12)) < -800, "trachea"
    assert grid.at((22 + 0.7 * a.aorta_bulge, y + 8, z + 26)) > 30, "arch, to the left"
    left = a.base + a.dome_left
    assert grid.at((0.42 * a.cavity_half_width, -14, left - 10 - a.gastric_gas)) < -800, "gastric air bubble, left"
    assert grid.at((-0.42 * a.cavity_half_width, -14, left - 10 - a.gastric_gas)) > 0, "its mirror image is liver"


def test_nodules_are_whole_in_a_lung():
    for anatomy in map(draw_anatomy, SEEDS):
        for nodule in anatomy.nodules:
            side = 1 if nodule.centre[0] > 0 else -1
            assert lung(anatomy, side, *map(np.array, nodule.centre)) < -nodule.diameter / 2
            assert 6 <= nodule.diameter <= 30


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_nodules_are_soft_tissue_inside_lung(seed):
    anatomy = draw_anatomy(seed)
    for nodule in anatomy.nodules:
        offset = np.arange(-20, 21, 1.0)
        place = np.add(nodule.centre, anatomy.shift_mm)
        hu = render(anatomy, *(offset + p for p in place))
        r = np.sqrt(offset**2 + offset[:, None] ** 2 + offset[:, None, None] ** 2)
        assert np.abs(hu[r < nodule.diameter / 2 - 1] - 40).max() < 1
        around = hu[(r > nodule.diameter / 2 + 1.5) & (r < nodule.diameter / 2 + 3)]
        assert (around < -500).mean() > 0.5, "most of what a nodule touches is lung; the rest may be a vessel or a wall"


def test_patients_are_adults_and_differ():
    cohort = [draw_anatomy(seed) for seed in SEEDS]
    widths, depths = (np.array([2 * getattr(a, name) for a in cohort]) for name in ("half_width", "half_depth"))
    lungs = np.array([a.lung_height for a in cohort])
    for values, low, high, spread in ((widths, 280, 420, 15), (depths, 190, 280, 8), (lungs, 200, 280, 12)):
        assert low <= values.min() and values.max() <= high and values.std() > spread
    assert {a.female for a in cohort} == {True, False}
    assert {len(a.nodules) for a in cohort} == {0, 1, 2, 3}


def test_scans_vary_as_in_real_collections():
    scans = [draw_scan(seed, draw_anatomy(seed)) for seed in SEEDS]
    codes = [scan.encoding for scan in scans]
    assert {code.intercept for code in codes} == {-1024, -1000, 0}
    for name in ("signed", "padding_tagged", "flip_columns", "flip_rows", "descending"):
        assert {getattr(code, name) for code in codes} == {True, False}, name
    assert {code.thickness_mm == scan.slice_distance for code, scan in zip(codes, scans, strict=True)} == {True, False}
    assert any(scan.localizer for scan in scans) and any(scan.license_file for scan in scans)
    assert all(255 < scan.slices * scan.slice_distance < 366 for scan in scans)


def read_by_hand(files: list[bytes]) -> tuple[np.ndarray, tuple[float, float, float]]:
    """HU (z, y, x) in LPS with the position of voxel [0, 0, 0], by the standard's rules and nothing else."""
    images = sorted((pydicom.dcmread(BytesIO(file)) for file in files), key=lambda d: d.ImagePositionPatient[2])
    hu = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in images])
    first = images[0]
    x, y, z = map(float, first.ImagePositionPatient)
    row, column = map(float, first.PixelSpacing)
    if first.ImageOrientationPatient[0] < 0:
        hu, x = hu[:, :, ::-1], x - (hu.shape[2] - 1) * column
    if first.ImageOrientationPatient[4] < 0:
        hu, y = hu[:, ::-1], y - (hu.shape[1] - 1) * row
    return hu, (x, y, z)


@pytest.mark.parametrize(
    ("stored", "columns", "rows", "descending"),
    product([(-1024, True), (-1024, False), (-1000, True), (0, True)], *[[False, True]] * 3),
)
def test_every_encoding_says_the_same(stored, columns, rows, descending):
    hu = np.random.default_rng(0).integers(-1024, 3000, (4, 5, 6)).astype(np.int16)
    common = Dataset()
    common.SeriesInstanceUID = uid("test")
    code = replace(PLAIN, flip_columns=columns, flip_rows=rows, descending=descending)
    code = replace(code, intercept=stored[0], signed=stored[1], padding_hu=-1024)
    back, first = read_by_hand(ct_files(hu, (-10, -20, -30), (0.7, 0.8, 2.5), common, code))
    np.testing.assert_array_equal(back, hu)
    np.testing.assert_allclose(first, (-10, -20, -30), atol=1e-3)


def test_hu_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        store(np.array([[[-2000]]], np.int16), replace(PLAIN, signed=False))


@pytest.mark.slow
def test_same_seed_same_bytes(small_zip, tmp_path):
    write_phantom("phantom-004", PhantomSettings(SMALL), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == small_zip.read_bytes()


def test_zip_is_a_shuffled_dicom_ct_series(small_zip):
    with zipfile.ZipFile(small_zip) as archive:
        names = archive.namelist()
        assert archive.read(names.pop(names.index("LICENSE"))) == LICENSE.encode()
        images = [pydicom.dcmread(BytesIO(archive.read(name))) for name in names]
    heights = [float(image.ImagePositionPatient[2]) for image in images]
    by_name = [height for _, height in sorted(zip(names, heights, strict=True))]
    for order in (heights, by_name):
        assert sorted(order) not in (order, order[::-1])
    assert {(image.SeriesInstanceUID, image.PatientID, image.Modality) for image in images} == {
        (series_uid(SMALL), "phantom-004", "CT")
    }
    uids = {image.SOPInstanceUID for image in images}
    assert len(uids) == len(images) and all(UID(one).is_valid and len(one) <= 64 for one in uids)


@pytest.mark.slow
def test_the_reader_of_patients_reads_phantoms(small_zip):
    anatomy = draw_anatomy(SMALL)
    scan = draw_scan(SMALL, anatomy)
    volume = read_ct(small_zip, series_uid(SMALL))
    upright = Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), "LPS"))
    assert upright.is_canonical
    np.testing.assert_allclose(upright.origin_mm, [axis[0] for axis in scan_axes(anatomy, scan)], atol=1e-3)
    np.testing.assert_array_equal(upright.array, np.maximum(acquire(SMALL, anatomy, scan), -1024))


def test_hounsfield_units_are_plausible():
    anatomy = draw_anatomy(SMALL)
    scan = replace(draw_scan(SMALL, anatomy), matrix=128, slices=60, slice_distance=5.0)
    hu = acquire(SMALL, anatomy, scan)
    x, y, _ = scan_axes(anatomy, scan)
    outside = np.hypot(x, y[:, None]) > scan.field_of_view / 2
    assert (hu[:, outside] == scan.encoding.padding_hu).all()
    inside = hu[:, ~outside]
    share = {
        name: np.mean((inside > low) & (inside < high))
        for name, low, high in (
            ("air", -1025, -960),
            ("lung", -920, -740),
            ("fat", -150, -60),
            ("soft", 0, 110),
            ("bone", 300, 1500),
        )
    }
    assert 0.1 < share["air"] < 0.6 and 0.08 < share["lung"] < 0.35
    assert 0.05 < share["fat"] < 0.3 and 0.15 < share["soft"] < 0.5 and 0.008 < share["bone"] < 0.06
    assert inside.max() < 1300


@pytest.mark.parametrize(
    ("seed", "mean", "percentiles"),
    [(1, -619.06, (-917.0, -142.0, 92.0, 339.0)), (8, -634.05, (-945.0, -132.0, 54.0, 349.0))],
)
def test_numbers_have_not_changed(seed, mean, percentiles):
    anatomy = draw_anatomy(seed)
    hu = acquire(seed, anatomy, replace(draw_scan(seed, anatomy), matrix=64, slices=50, slice_distance=6.0))
    hu = np.maximum(hu, -1024)
    assert hu.mean() == pytest.approx(mean, abs=0.05), BUMP
    assert np.percentile(hu, (50, 70, 90, 99)) == pytest.approx(percentiles, abs=1), BUMP


def test_settings_of_another_version_are_refused(tmp_path):
    with pytest.raises(InputError, match="settings of stage phantom are of version 0"):
        write_phantom("phantom-001", PhantomSettings(seed=1, version=0), tmp_path / "p.zip")
