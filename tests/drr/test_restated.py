"""A header said elsewhere: the same CT, whatever its own header leaves out."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from drr.ct.read import look_at_chest, read_chest, read_ct
from drr.ct.restated import Restated
from drr.errors import InputError
from drr.volume import Volume
from tests.drr.series import body, write_series

SPACING_MM, ORIGIN_MM = (6.0, 8.0, 10.0), (-10.0, -20.0, -30.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
WHOLE = Restated(2.0, -1024.0, SPACING_MM, AXIAL, ORIGIN_MM, blank_only=True)


def raw(path: Path, affine: np.ndarray | None) -> Path:
    """The body as stored numbers; no affine at all leaves both codes at 0."""
    stored = np.rint((body() + 1024) / 2).astype(np.int16).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(stored, affine), path)
    return path


def same(one: Volume, other: Volume) -> bool:
    places = [(v.spacing_mm, v.origin_mm, v.direction) for v in (one, other)]
    return one.array.shape == other.array.shape and all(map(np.allclose, *places))


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0]), None], ids=["ras", "lps", "none"])
def test_a_blank_header_restated_is_the_ct(tmp_path: Path, affine: np.ndarray | None) -> None:
    whole = Volume(body(), SPACING_MM, ORIGIN_MM)
    found = read_chest(raw(tmp_path / "raw.nii.gz", affine), restated=WHOLE)
    assert same(found, whole) and np.abs(found.array - whole.array).max() <= 1  # stored in steps of 2 HU
    assert same(look_at_chest(tmp_path / "raw.nii.gz", WHOLE), whole)


def test_a_header_that_is_not_blank_holds(tmp_path: Path) -> None:
    """A file that somebody has corrected already must not be rescaled twice."""
    whole = Volume(body(), (5.0, 7.0, 9.0), ORIGIN_MM)
    whole.write(tmp_path / "ct.nii.gz")
    found = read_ct(tmp_path / "ct.nii.gz", restated=WHOLE)
    assert same(found, whole) and np.array_equal(found.array, whole.array)


def test_slope_and_intercept_act_on_what_the_header_means(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(body().transpose(2, 1, 0).astype(np.int16), np.diag([-6.0, -8.0, 10.0, 1.0]))
    image.header.set_slope_inter(1, 0)
    nibabel.save(image, tmp_path / "ct.nii")
    found = read_ct(tmp_path / "ct.nii", restated=Restated(0.5, -500.0))
    assert np.array_equal(found.array, np.rint(body() * 0.5 - 500).astype(np.int16))
    assert np.allclose(found.spacing_mm, SPACING_MM)


def test_axes_are_those_of_dicom(tmp_path: Path) -> None:
    turned = replace(WHOLE, orientation=(0.0, 1.0, 0.0, -1.0, 0.0, 0.0))
    found = look_at_chest(raw(tmp_path / "raw.nii", np.eye(4)), turned)
    assert np.allclose(np.reshape(found.direction, (3, 3)).T, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"slope": 0.0}, "a header of slope 0 and [0.0] is none: finite numbers, no slope of 0"),
        ({"intercept": float("nan")}, "a header of slope 1 and [nan] is none: finite numbers, no slope of 0"),
        (
            {"spacing_mm": SPACING_MM},
            "a header's place is spacing_mm, orientation, position_mm together, or none of them",
        ),
    ],
)
def test_a_header_that_is_none_is_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(InputError) as error:
        Restated(**values)  # type: ignore[arg-type]
    assert str(error.value) == problem


def test_a_place_that_is_none_names_the_file(tmp_path: Path) -> None:
    sheared = replace(WHOLE, orientation=(1.0, 0.0, 0.0, 0.5, 1.0, 0.0))
    with pytest.raises(InputError, match=r"raw\.nii: is sheared, its . and . axes"):
        look_at_chest(raw(tmp_path / "raw.nii", np.eye(4)), sheared)


def test_a_dicom_series_keeps_its_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a DICOM series states its own scale and place"):
        read_ct(write_series(tmp_path / "ct"), restated=WHOLE)


def test_a_header_alone_is_looked_at(tmp_path: Path) -> None:
    """Voxels that are damaged are found when they are read; a box that is no chest's at once."""
    Volume(body(), SPACING_MM, ORIGIN_MM).write(tmp_path / "ct.nii.gz")
    data = (tmp_path / "ct.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(data[: len(data) // 2])
    assert look_at_chest(tmp_path / "cut.nii.gz").array.shape == body().shape
    with pytest.raises(InputError, match=r"cut\.nii\.gz: its packed voxels are damaged"):
        read_chest(tmp_path / "cut.nii.gz")
    Volume(body(), (0.6, 0.8, 1.0), ORIGIN_MM).write(tmp_path / "cm.nii.gz")
    with pytest.raises(InputError, match=r"cm\.nii\.gz: its box is 12 x 12.8 x 12 mm"):
        look_at_chest(tmp_path / "cm.nii.gz")
    Volume(body(5), SPACING_MM, ORIGIN_MM).write(tmp_path / "thin.nii.gz")
    with pytest.raises(InputError, match=r"thin\.nii\.gz: 20 x 16 x 5 voxels are too few"):
        look_at_chest(tmp_path / "thin.nii.gz")
