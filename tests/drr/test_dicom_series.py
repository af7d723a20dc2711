"""What is one scan: acquisitions, patients, folders and pages inside one SeriesInstanceUID."""

from pathlib import Path
from typing import Any
import zipfile

import numpy as np
from numpy.typing import NDArray
import pytest

from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.enhanced import enhanced, item
from tests.drr.series import body, Edit, with_values, write_series

UID = "1.2.3"
STEP_MM = 3.0


def moved() -> NDArray[np.int16]:
    """The body of another phase: nothing is where it was."""
    return np.roll(body(), 4, axis=2)


def add(folder: Path, hu: NDArray[np.int16], z_mm: Any, name: str, edit: Edit | None = None, first: int = 1) -> None:
    """Write slices at these places into `folder`, numbered from `first`; `edit` changes each header."""
    z_mm = np.asarray(z_mm, float)
    positions = np.stack([0 * z_mm - 10, 0 * z_mm - 20, z_mm], axis=1)

    def numbered(header: Any, k: int) -> None:
        header.InstanceNumber = first + k
        (edit or nothing)(header, k)

    part = write_series(folder.parent / f"{folder.name}-{name}", hu, uid=UID, positions_mm=positions, edit=numbered)
    folder.mkdir(exist_ok=True)
    for file in part.iterdir():
        file.rename(folder / f"{name}{file.name}")


def nothing(header: Any, k: int) -> None:
    """A phase that only its order tells."""


def per_slice_times(hour: int) -> Edit:
    return lambda header, k: with_values(AcquisitionTime=f"{hour:02}{k // 60:02}{k % 60:02}")(header, k)


Z_MM = STEP_MM * np.arange(12)
PHASES = {
    "AcquisitionNumber": [with_values(AcquisitionNumber=k) for k in (1, 2)],
    "AcquisitionNumber of one alone": [nothing, with_values(AcquisitionNumber=2)],
    "TemporalPositionIdentifier": [with_values(TemporalPositionIdentifier=k) for k in (1, 2)],
    "AcquisitionTime": [with_values(AcquisitionTime=f"12{k}500") for k in (1, 2)],
    "AcquisitionDateTime": [with_values(AcquisitionDateTime=f"2026010112{k}500") for k in (1, 2)],
    "AcquisitionTime from": [per_slice_times(hour) for hour in (1, 2)],
    "InstanceNumber": [nothing, nothing],
}


@pytest.mark.parametrize("shift_mm", [STEP_MM / 2, 0.0, 0.4], ids=lambda mm: f"{mm:g}mm")
@pytest.mark.parametrize("tag", PHASES)
def test_phases_are_never_mixed(tmp_path, capsys, tag, shift_mm):
    first, second = PHASES[tag]
    add(tmp_path / "ct", body(), Z_MM, "a", first)
    add(tmp_path / "ct", moved(), Z_MM + shift_mm, "b", second, first=13)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, body())
    [line] = capsys.readouterr().err.splitlines()
    assert f"several acquisitions in one series: takes {tag.split()[0].replace('DateTime', 'Time')}" in line
    assert "(12 slices from z = 0 mm to z = 33 mm) and passes over" in line
    assert line.count("12 slices") == 2 and f"z = {shift_mm:g} mm to z = {33 + shift_mm:g} mm" in line


def test_phases_that_are_each_numbered_from_one_are_not_mixed(tmp_path, capsys):
    """Nothing else tells them apart, and half a step of shift makes one even sweep of both."""
    add(tmp_path / "ct", body(), Z_MM, "a")
    add(tmp_path / "ct", moved(), Z_MM + STEP_MM / 2, "b")
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, body())
    [line] = capsys.readouterr().err.splitlines()
    assert "takes turn 1 of the InstanceNumbers (12 slices" in line and "passes over turn 2" in line


@pytest.mark.parametrize("shift_mm", [STEP_MM / 2, 0.4, 0.0], ids=lambda mm: f"{mm:g}mm")
def test_phases_numbered_from_one_with_the_table_going_out_and_back_are_not_mixed(tmp_path, capsys, shift_mm):
    add(tmp_path / "ct", body(), Z_MM, "a")
    add(tmp_path / "ct", moved()[::-1], Z_MM[::-1] + shift_mm, "b")
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, body())
    [line] = capsys.readouterr().err.splitlines()
    assert "takes turn 1 of the InstanceNumbers (12 slices" in line and "passes over turn 2" in line


def test_successive_ranges_whose_numbers_have_no_order_are_one_scan(tmp_path):
    hu = body(40)
    rng = np.random.default_rng(4)
    order = [*rng.permutation(20).tolist(), *rng.permutation(20).tolist()]
    twice = lambda header, k: with_values(InstanceNumber=order[k])(header, k)  # noqa: E731
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", hu, edit=twice)).array, hu)


def test_successive_ranges_that_are_each_numbered_from_one_are_one_scan(tmp_path, capsys):
    hu = body(24)
    add(tmp_path / "ct", hu[:12], Z_MM, "a")
    add(tmp_path / "ct", hu[12:], Z_MM[-1] + STEP_MM + Z_MM, "b")
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu)
    assert "acquisition" not in capsys.readouterr().err


def test_places_of_two_frames_of_reference_are_doubted(tmp_path, capsys):
    for name, part in (("a", slice(0, 6)), ("b", slice(6, 12))):
        add(tmp_path / "ct", body()[part], Z_MM[part], name, with_values(FrameOfReferenceUID=f"1.2.{ord(name)}"))
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, body())
    assert "the images name 2 frames of reference" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["MIP", "MIN IP", "VOLUME_RENDER", "MAT_SPECIFIC"])
def test_projections_and_materials_are_no_ct(tmp_path, value):
    computed = with_values(ImageType=["DERIVED", "SECONDARY", "AXIAL", value])
    write_series(tmp_path / "alone", edit=computed)
    with pytest.raises(InputError, match=f"no CT series, only CT images of ImageType {value}"):
        read_ct(tmp_path / "alone")
    write_series(tmp_path / "ct", moved(), uid="1.1", edit=computed)
    add(tmp_path / "ct", body(), Z_MM, "b")
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, body())


def test_of_equally_large_series_the_original_one_is_taken(tmp_path, capsys):
    write_series(tmp_path / "a", moved(), uid="1.1", edit=with_values(ImageType=["DERIVED", "SECONDARY", "AXIAL"]))
    write_series(tmp_path / "b", body(), uid="1.2", edit=with_values(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]))
    path = tmp_path / "both.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(tmp_path.glob("[ab]/*")):
            archive.write(file, f"{file.parent.name}-{file.name}")
    np.testing.assert_array_equal(read_ct(path).array, body())
    assert "takes one of the largest CT series, 1.2 (12 images), and passes over 1.1 (12)" in capsys.readouterr().err


def test_the_larger_acquisition_is_taken(tmp_path, capsys):
    add(tmp_path / "ct", moved(), Z_MM, "a", with_values(AcquisitionNumber=1))
    fine = body(23)
    add(tmp_path / "ct", fine, Z_MM[0] + STEP_MM / 2 * np.arange(23), "b", with_values(AcquisitionNumber=2), first=13)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, fine)
    assert "takes AcquisitionNumber 2 (23 slices" in capsys.readouterr().err


def test_two_phases_in_three_parts_each(tmp_path, capsys):
    """As GE numbers them: 1, 2, 3 are one sweep of the table, 4, 5, 6 the next."""
    hu = {"a": body(36), "b": np.roll(body(36), 4, axis=2)}
    for k in range(6):
        phase, part = ("a", "b")[k // 3], slice(12 * (k % 3), 12 * (k % 3) + 12)
        z_mm = STEP_MM * np.arange(36)[part] + (phase == "b") * 1.0
        add(tmp_path / "ct", hu[phase][part], z_mm, f"{k}", with_values(AcquisitionNumber=k + 1), first=12 * k + 1)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu["a"])
    assert "takes AcquisitionNumber 1 and 2 more (36 slices" in capsys.readouterr().err


def test_phases_of_parts_that_take_turns(tmp_path):
    """1, 3, 5 are one phase and 2, 4, 6 the other: a part goes to the phase that it does not cross."""
    hu = {"a": body(36), "b": np.roll(body(36), 4, axis=2)}
    for k in range(6):
        phase, part = ("a", "b")[k % 2], slice(12 * (k // 2), 12 * (k // 2) + 12)
        z_mm = STEP_MM * np.arange(36)[part] + (phase == "b") * 1.0
        add(tmp_path / "ct", hu[phase][part], z_mm, f"{k}", with_values(AcquisitionNumber=k + 1), first=12 * k + 1)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu["a"])


@pytest.mark.parametrize("seam_mm", [STEP_MM, 0.0], ids=["next", "one slice twice"])
@pytest.mark.parametrize("lower_first", [True, False])
def test_successive_ranges_are_one_scan(tmp_path, capsys, seam_mm, lower_first):
    hu = body(24)
    numbers = (1, 2) if lower_first else (2, 1)
    add(tmp_path / "ct", hu[:12], Z_MM, "a", with_values(AcquisitionNumber=numbers[0]))
    upper, z_mm = (hu[12:], Z_MM[-1] + STEP_MM + Z_MM) if seam_mm else (hu[11:], Z_MM[-1] + STEP_MM * np.arange(13))
    add(tmp_path / "ct", upper, z_mm, "b", with_values(AcquisitionNumber=numbers[1]))
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu)
    assert "acquisition" not in capsys.readouterr().err


def test_a_number_for_every_slice_or_rotation_is_no_acquisition(tmp_path, capsys):
    for name, slices in {"slice": 1, "rotation": 4}.items():
        number = lambda header, k, n=slices: with_values(AcquisitionNumber=1 + k // n)(header, k)  # noqa: E731
        np.testing.assert_array_equal(read_ct(write_series(tmp_path / name, edit=number)).array, body())
    counter = lambda header, k: with_values(AcquisitionNumber=1 + 5 * k % 12)(header, k)  # noqa: E731
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "shuffled", edit=counter)).array, body())
    assert not capsys.readouterr().err


def test_instance_numbers_in_any_order_are_no_acquisitions(tmp_path, capsys):
    hu = body(40)
    order = np.random.default_rng(3).permutation(40).tolist()
    shuffled = lambda header, k: with_values(InstanceNumber=order[k])(header, k)  # noqa: E731
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", hu, edit=shuffled)).array, hu)
    odd_first = lambda header, k: with_values(InstanceNumber=k // 2 + 1 + 20 * (k % 2))(header, k)  # noqa: E731
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "odd", edit=odd_first)).array, body())
    late = lambda header, k: with_values(InstanceNumber=99 if k == 20 else k)(header, k)  # noqa: E731
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "late", hu, edit=late)).array, hu)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "tag", ["AcquisitionNumber", "TemporalPositionIdentifier", "AcquisitionTime", "InstanceNumber"]
)
def test_acquisitions_that_overlap_in_part_are_refused(tmp_path, tag):
    first, second = PHASES[tag]
    add(tmp_path / "ct", body(), Z_MM, "a", first)
    add(tmp_path / "ct", moved(), Z_MM + 17.5, "b", second, first=13)
    with pytest.raises(InputError, match=rf"overlap along z: {tag} .*33 mm\), {tag}.* \(12 .*17.5 .*: give one of th"):
        read_ct(tmp_path / "ct")


def test_a_few_slices_of_another_acquisition_are_left_out_and_said(tmp_path, capsys):
    hu = body(60)
    add(tmp_path / "ct", hu, STEP_MM * np.arange(60), "a", with_values(AcquisitionNumber=1))
    add(tmp_path / "ct", hu[20:22] + 300, [31.0, 32.5], "b", with_values(AcquisitionNumber=2), first=61)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu)
    assert (
        "2 slices lie between those of another acquisition in the series: they are left out" in capsys.readouterr().err
    )


def test_slices_that_fill_a_hole_are_kept_whatever_their_number(tmp_path):
    hu = body(60)
    add(tmp_path / "ct", np.delete(hu, [20, 21], axis=0), STEP_MM * np.delete(np.arange(60), [20, 21]), "a",
        with_values(AcquisitionNumber=1))  # fmt: skip
    add(tmp_path / "ct", hu[20:22], STEP_MM * np.array([20, 21]), "b", with_values(AcquisitionNumber=2), first=61)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu)


@pytest.mark.parametrize("tag", ["TemporalPositionIndex", "FrameAcquisitionNumber"])
def test_phases_in_one_multi_frame_file(tmp_path, capsys, tag):
    z_mm = np.concatenate([Z_MM, Z_MM])
    positions = np.stack([0 * z_mm, 0 * z_mm, z_mm], axis=1)
    header = enhanced(np.concatenate([body(), moved()]), positions_mm=positions)
    for k, frame in enumerate(header.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence = item(**{tag: 1 + k // 12})
    header.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct.dcm").array, body())
    assert "several acquisitions in one series" in capsys.readouterr().err


@pytest.mark.parametrize(
    "other", ["p1", "P1 ", ""], ids=["case", "blank", "none"]
)  # and the form of accents, which PatientID hardly has
def test_spellings_of_one_patient_are_one_scan(tmp_path, capsys, other):
    half = lambda header, k: with_values(PatientID=other)(header, k) if k % 2 else None  # noqa: E731
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=half)).array, body())
    said = capsys.readouterr().err
    assert ("PatientID differs in one series: 'P1' (6 images)" in said) == (other != "P1 ")


def test_one_series_of_two_patients_is_refused(tmp_path):
    half = lambda header, k: with_values(PatientID="P2")(header, k) if k % 2 else None  # noqa: E731
    folder = write_series(tmp_path / "ct", edit=half, uid=UID)
    with pytest.raises(
        InputError, match=r"PatientID differs in series 1.2.3: 'P1' \(6 images\), 'P2' \(6 images\): put"
    ):
        read_ct(folder)


@pytest.mark.parametrize("places", [("a", "b"), (".", "b"), (".", "b/c")])
def test_a_series_in_several_folders_is_one_scan(tmp_path, capsys, places):
    hu = body(24)
    add(tmp_path / "all", hu, STEP_MM * np.arange(24), "", nothing)
    for k, file in enumerate(sorted((tmp_path / "all").iterdir())):
        folder = tmp_path / "ct" / places[k // 12]
        folder.mkdir(parents=True, exist_ok=True)
        file.rename(folder / file.name)
    write_series(tmp_path / "ct" / "z", body(), uid="1.2.9")  # of another series
    write_series(tmp_path / "one", body()[:1], uid="1.2.8")
    (tmp_path / "one" / "0000.dcm").rename(tmp_path / "ct" / places[1] / "00-first.dcm")  # and in the same folder
    np.testing.assert_array_equal(read_ct(tmp_path / "ct", UID).array, hu)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu)
    assert ("goes on in folders below" in capsys.readouterr().err) == (places[0] == ".")


def test_a_dose_page_is_left_out_and_said(tmp_path, capsys):
    def page(header: Any, k: int) -> None:
        if k == 11:
            header.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
            del header.ImagePositionPatient, header.ImageOrientationPatient, header.RescaleSlope, header.PixelSpacing
            header.Rows, header.Columns, header.SamplesPerPixel = 8, 10, 3

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=page)).array, body()[:11])
    assert "leaves out 1 CT image (0011.dcm) without a position in the patient" in capsys.readouterr().err


def test_slices_that_lost_their_places_are_no_pages(tmp_path):
    def lost(header: Any, k: int) -> None:
        if k % 3 == 0:
            del header.ImagePositionPatient, header.ImageOrientationPatient

    with pytest.raises(InputError, match=r"4 CT images \(0000.dcm, 0003.dcm, 0006.dcm, ...\) .*Patient is lost"):
        read_ct(write_series(tmp_path / "ct", edit=lost))


@pytest.mark.parametrize("kind", ["MGML", "OD", "Z_EFF", "HU_MOD"])
def test_values_of_another_type_are_refused(tmp_path, kind):
    with pytest.raises(InputError, match=f"0000.dcm: RescaleType is {kind}, not HU"):
        read_ct(write_series(tmp_path / "ct", edit=with_values(RescaleType=kind)))


@pytest.mark.parametrize("kind", ["HU", "US", "hu ", "", None])
def test_values_in_hounsfield_units_or_of_no_stated_type_are_read(tmp_path, kind):
    edit = with_values(RescaleType=kind)
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=edit)).array, body())


def test_another_type_in_a_multi_frame_file_is_refused(tmp_path):
    header = enhanced(body())
    header.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0].RescaleType = "MGML"
    header.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match="RescaleType is MGML"):
        read_ct(tmp_path / "ct.dcm")


def test_lossy_compression_is_said(tmp_path, capsys):
    read_ct(write_series(tmp_path / "ct", edit=with_values(LossyImageCompression="01")))
    assert "12 of 12 images were compressed with loss" in capsys.readouterr().err
    read_ct(write_series(tmp_path / "whole", edit=with_values(LossyImageCompression="00")))
    assert not capsys.readouterr().err
