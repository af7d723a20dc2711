"""Where nodules are, and how much of them a reconstruction keeps."""

from dataclasses import replace
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import VolumeSettings
from dx2ct.data.cohort.selection import read_rows
from dx2ct.data.prepare.volume import to_cube
from dx2ct.metrics.nodule import Nodule, retention
from dx2ct.scoring.nodules import nodules_of, read_nodule_table

ROOT = Path(__file__).resolve().parents[3]
REAL = Path(os.environ.get("DX2CT_REAL_DATA", ROOT.parent / "shared/data"))
SCAN = REAL / "ct/LIDC-IDRI-0001.zip"
NODULE = Nodule((10.0, -4.0, 100.0), 12.0)


def lung(nodule: Nodule = NODULE, hu: float = 40, size: int = 32, spacing: float = 2.0) -> Volume:
    """A sphere in lung of -850 HU; the grid begins at (-20, -30, 70) mm."""
    origin = (-20.0, -30.0, 70.0)
    z, y, x = np.mgrid[:size, :size, :size] * spacing
    inside = sum((a + o - c) ** 2 for a, o, c in zip((x, y, z), origin, nodule.centre_mm, strict=True))
    return Volume(np.where(inside <= (nodule.diameter_mm / 2) ** 2, hu, -850.0), (spacing,) * 3, origin)


def test_a_nodule_keeps_itself_and_air_keeps_nothing():
    truth = lung()
    assert retention(truth.array, truth, NODULE).kept == 1
    empty = replace(truth, array=np.full_like(truth.array, -850))
    found = retention(truth.array, empty, NODULE)
    assert found.kept == found.contrast_hu == 0
    assert 700 < found.contrast_truth_hu <= 890


def test_what_is_kept_is_linear_in_the_reconstruction():
    truth = lung()
    for part in (-0.5, 0.25, 2.0):
        image = replace(truth, array=part * truth.array + 123)
        assert retention(truth.array, image, NODULE).kept == pytest.approx(part)


def test_a_blur_takes_more_of_small_nodules():
    kept = []
    for diameter in (6.0, 12.0, 20.0):
        nodule = replace(NODULE, diameter_mm=diameter)
        truth = lung(nodule)
        image = replace(truth, array=gaussian_filter(truth.array, 2))
        kept.append(retention(truth.array, image, nodule).kept)
    assert 0 < kept[0] < kept[1] < kept[2] < 1


def test_a_nodule_at_another_place_is_not_kept():
    truth = lung()
    moved = lung(replace(NODULE, centre_mm=(26.0, -4.0, 100.0)))
    assert retention(truth.array, moved, NODULE).kept < 0.05


def test_what_cannot_be_said_is_nan():
    truth = lung()
    assert np.isnan(retention(truth.array, truth, replace(NODULE, centre_mm=(500.0, 0.0, 0.0))).kept), "off the grid"
    solid = replace(truth, array=np.full_like(truth.array, 40))
    assert np.isnan(retention(solid.array, solid, NODULE).contrast_truth_hu), "no lung around it"
    faint = lung(hu=-820)
    found = retention(faint.array, faint, NODULE)
    assert 0 < found.contrast_truth_hu < 50 and np.isnan(found.kept), "hardly there in the CT itself"


def test_positions_of_a_sheet_and_of_the_annotations():
    cube = lung()
    row = {"nodules": "1.5:-2:3:4.5;0:0:0:9", "fov_mm": "64", "pixel_mm": "2"}
    line = {"column_mm": "10", "row_mm": "20", "z_mm": "-5", "diameter_mm": "7"}
    found = nodules_of("a", row, {"a": [line]}, cube)
    assert found[:2] == [Nodule((1.5, -2.0, 3.0), 4.5), Nodule((0.0, 0.0, 0.0), 9.0)]
    x, y, _ = cube.centre_mm  # 32 pixels of 2 mm: the first lies 31 mm before the centre
    assert found[2] == Nodule((x - 31 + 10, y - 31 + 20, -5.0), 7.0)
    assert nodules_of("b", {}, {"a": [line]}, cube) == []


@pytest.mark.parametrize("text", ["1:2:3", "1:2:3:4:5", "a:b:c:d"])
def test_positions_that_are_no_numbers_are_named(text):
    with pytest.raises(InputError, match="scan a: its nodules cannot be read"):
        nodules_of("a", {"nodules": text}, {}, lung())


@pytest.mark.skipif(
    not (REAL / "ct/LIDC-IDRI-0001.zip").is_file(), reason="DX2CT_REAL_DATA has no ct/LIDC-IDRI-0001.zip"
)
def test_the_annotated_nodule_of_a_real_scan_is_found():
    """Its place by ImagePositionPatient is (-166 + 222.17, -171.7 + 257.90, -115.86) mm."""
    cube = to_cube(
        read_ct(REAL / "ct/LIDC-IDRI-0001.zip", None, 40.0), VolumeSettings(2.5, 128, "center", "linear", 40)
    )
    resources = ROOT / "workflow/resources"
    row = next(row for row in read_rows(resources / "lidc-idri.tsv") if row["scan"] == "LIDC-IDRI-0001")
    table = read_nodule_table(resources / "lidc-nodules.tsv")
    (nodule,) = nodules_of("LIDC-IDRI-0001", row, table, cube)
    assert nodule.centre_mm == pytest.approx((56.17, 86.20, -115.86), abs=0.01)
    assert retention(cube.array, cube, nodule).contrast_truth_hu > 250
