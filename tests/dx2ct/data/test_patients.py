"""A patient never lies in two splits because of a name: laws, and folders as people have them."""

from pathlib import Path
import shutil
from typing import Any
import unicodedata
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from drr.ct.patient import patient_key
from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import Volume
from dx2ct.data.cohort import images
from dx2ct.data.cohort.groups import joined
from dx2ct.data.cohort.names import bids_subject, scan_names, shown, undivided, written
from dx2ct.data.cohort.places import Scan, scans_at
from dx2ct.data.cohort.selection import read_rows
from tests.drr.series import body, with_values, write_series, zipped
from tests.dx2ct.data.test_cohort import left_out, write

SPACING_MM, ORIGIN_MM = (6.0, 8.0, 10.0), (-10.0, -20.0, -30.0)


def noisy(seed: int, slices: int = 12) -> NDArray[np.int16]:
    """A patient as a scanner sees one: with noise in the tissue, (z, y, x) HU."""
    hu = np.full((slices, 32, 40), -1000, np.int16)
    noise = np.random.default_rng(seed).normal(40, 15, (slices, 26, 32))
    hu[:, 3:-3, 4:-4] = np.rint(noise)
    hu[:, 10:14, 8:14] = -850
    return hu


def series(folder: Path, hu: NDArray[np.int16] | None = None, **how: Any) -> Path:
    """A DICOM series at the place of `nifti`."""
    return write_series(folder, hu, spacing_mm=(8.0, 6.0), step_mm=10.0, origin_mm=ORIGIN_MM, **how)


def nifti(path: Path, hu: NDArray[np.int16] | None = None) -> Path:
    """A volume file."""
    Volume(body() if hu is None else hu, SPACING_MM, ORIGIN_MM).write(path)
    return path


def patients(folder: Path, output: Path, patient_from: str | None = None) -> dict[str, str]:
    """{scan: patient} of a folder; every patient is in one split."""
    write(folder, output, 0.5, patient_from=patient_from)
    rows = read_rows(output / "cohort.tsv")
    parts = {(patient_key(row["patient"]), row["split"]) for row in rows}
    assert len(parts) == len({patient for patient, _ in parts})
    return {row["scan"]: row["patient"] for row in rows}


# ---- names

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(NAMES)
def test_a_name_is_compared_without_form_case_and_blanks(name: str) -> None:
    for other in (f"  {name}\t", unicodedata.normalize("NFD", name), unicodedata.normalize("NFC", name), written(name)):
        assert patient_key(other) == patient_key(name)
    assert patient_key(patient_key(name)) == patient_key(name)


@settings(max_examples=50)
@given(
    st.lists(NAMES.filter(lambda name: "/" not in name and "\0" not in name and name not in (".", "..")), min_size=1)
)
def test_ids_are_safe_and_unique_whatever_the_names_are(names: list[str]) -> None:
    root = Path("/nowhere")
    ids = scan_names([root / name for name in names], root)
    assert len({one.lower() for one in ids}) == len(names)
    assert all(one.isascii() and one.replace("-", "").replace("_", "").isalnum() for one in ids if one.strip("-_"))


def test_ids_of_other_scripts_do_not_depend_on_what_else_is_there() -> None:
    root = Path("/nowhere")
    alone = scan_names([root / "李四.nii"], root)
    assert scan_names([root / name for name in ("张三.nii", "李四.nii")], root)[1:] == alone
    assert scan_names([root / "Müller.nii"], root) == ["Muller"]


@given(st.text())
def test_what_is_shown_steers_no_terminal(text: str) -> None:
    assert shown(text).isprintable()
    shown(text).encode("utf-8")
    assert shown("plain text, ü 张") == "plain text, ü 张"


def test_names_of_dcm2niix_and_bids() -> None:
    derived = ("a_Tilt_1", "a_Eq", "a_Eq_1", "a_Tilt_Eq_2", "a_Crop_1", "a_ROI1")
    assert {undivided(name) for name in derived} == {"a"}
    assert [undivided(name) for name in ("Tilt_1", "equal", "a_b")] == ["Tilt_1", "equal", "a_b"]
    assert bids_subject("sub-01/ses-2/sub-01_ses-2_ct.nii.gz") == bids_subject("data/sub-01/ct.nii") == "sub-01"
    assert bids_subject("my_sub-Ü3_ct.nii") == "sub-Ü3" and bids_subject("subject-01/xsub-1.nii") == ""


@given(st.lists(st.sets(st.integers(0, 8), max_size=3), max_size=8))
def test_things_that_share_a_key_are_one_group_and_others_are_not(keys: list[set[int]]) -> None:
    groups = joined(keys)
    for a, b in ((a, b) for a in range(len(keys)) for b in range(len(keys))):
        if keys[a] & keys[b]:
            assert groups[a] == groups[b]
    for group in set(groups):
        inside = set().union(*(own for own, one in zip(keys, groups, strict=True) if one == group))
        outside = set().union(*(own for own, one in zip(keys, groups, strict=True) if one != group))
        assert not inside & outside


# ---- images


@pytest.mark.parametrize("axes", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_an_image_is_the_same_in_any_order_of_its_axes(
    tmp_path: Path, axes: tuple[int, int, int], order: tuple[int, int, int]
) -> None:
    """A NIfTI file has its rows from back to front; programs write axes as they like."""
    hu = noisy(0)
    upright = Volume(hu, SPACING_MM, ORIGIN_MM)
    flipped = hu[:: axes[2], :: axes[1], :: axes[0]]
    corner = [
        mm + (n - 1) * step * (sign < 0)
        for mm, n, step, sign in zip(ORIGIN_MM, hu.shape[::-1], SPACING_MM, axes, strict=True)
    ]
    frame = np.diag(axes)[:, order]
    turned = np.transpose(flipped, [2 - order[2], 2 - order[1], 2 - order[0]])
    spacing = tuple(SPACING_MM[k] for k in order)
    other = Volume(turned, spacing, tuple(corner), tuple(frame.ravel().astype(float).tolist()))
    one, two = images.of_volume(upright), images.of_volume(other)
    assert one.digest == two.digest and one.is_at_place_of(two) and one.has_noise
    assert images.of_volume(Volume(noisy(1), SPACING_MM, ORIGIN_MM)).digest != one.digest


@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, 1, 0), (0, 1, 0, 1, 0, 0), (0, 1, 0, -1, 0, 0)],
)
def test_a_series_and_its_volume_file_are_one_image(tmp_path: Path, orientation: tuple[int, ...]) -> None:
    series(tmp_path / "dcm", noisy(3), orientation=orientation)
    read_ct(tmp_path / "dcm").write(tmp_path / "ct.nii.gz")
    (one,), (file,) = scans_at(tmp_path / "dcm"), scans_at(tmp_path / "ct.nii.gz")
    assert isinstance(one, Scan) and isinstance(file, Scan) and one.image and file.image
    assert one.image.digest == file.image.digest and one.image.is_at_place_of(file.image)


def test_what_has_no_noise_proves_nothing() -> None:
    z, y, x = np.mgrid[:12, :32, :40]
    smooth = (40 * np.sin(x / 4) + 30 * np.cos(y / 5) + 5 * z).astype(np.int16)
    stairs = np.kron(body(12, 16, 20), np.ones((1, 2, 2), np.int16))
    for hu in (smooth, stairs, np.full((12, 32, 40), 40, np.int16)):
        assert not images.of_volume(Volume(hu, SPACING_MM, ORIGIN_MM)).has_noise


def test_real_scans_have_noise_and_their_files_are_found_again(real_data: Path, tmp_path: Path) -> None:
    (one,) = scans_at(real_data / "ct/Lung_Dx-A0002.zip")
    read_ct(real_data / "ct/Lung_Dx-A0002.zip").write(tmp_path / "other.nii.gz")
    (file,) = scans_at(tmp_path / "other.nii.gz")
    assert isinstance(one, Scan) and isinstance(file, Scan) and one.image and file.image
    assert one.image.has_noise and one.image.digest == file.image.digest


# ---- folders


@pytest.mark.parametrize(
    "names", [("张三", "李四", "王五"), ("Müller", "Möller"), ("Иван", "Пётр"), ("山田", "さくら")]
)
def test_names_of_any_script_are_patients_and_survive(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        nifti(tmp_path / f"in/files/{name}.nii")
        charset = with_values(SpecificCharacterSet="ISO_IR 192", PatientID=f"{name}-ID")
        series(tmp_path / "in/series" / name, edit=charset)
    assert set(patients(tmp_path / "in", tmp_path / "out").values()) == {*names, *(f"{name}-ID" for name in names)}


@pytest.mark.parametrize(
    "forms",
    [
        ("P1", "P1 ", "p1"),
        ("Müller", unicodedata.normalize("NFD", "Müller"), "MÜLLER"),
        ("A  B", "a b"),
        ("Straße 1", "STRASSE 1"),
    ],
)
def test_forms_of_a_name_are_one_patient(tmp_path: Path, forms: tuple[str, ...]) -> None:
    for k, name in enumerate([*forms, "another"]):
        edit = with_values(SpecificCharacterSet="ISO_IR 192", PatientID=name)
        series(tmp_path / f"in/{k}", noisy(k), edit=edit)
    found = patients(tmp_path / "in", tmp_path / "out")
    assert len(set(found.values())) == 2 and found["0"] == written(forms[0])


def test_a_sheet_with_two_forms_of_a_name_in_two_splits_is_refused(tmp_path: Path) -> None:
    from dx2ct.data.cohort.sheet import read_sheet

    rows = "a\tP1\tx\t\ttrain\nb\t p1 \ty\t\ttest\n"
    (tmp_path / "sheet.tsv").write_text("scan\tpatient\tpath\tseries_uid\tsplit\n" + rows)
    with pytest.raises(InputError, match="patient P1, also written 'p1', is in two splits"):
        read_sheet(tmp_path / "sheet.tsv")


def _dicom_and_nifti(folder: Path) -> list[set[str]]:
    for k, way in enumerate(("P0/P0_ct", "P1/scan", "nifti/P2", "nifti/P3_followup", "elsewhere/abc")):
        series(folder / f"P{k}/dcm", body(), patient=f"P{k}")
        nifti(folder / f"{way}.nii.gz")
    return [{f"P{k}-dcm", name} for k, name in enumerate(("P0_ct", "scan", "P2", "P3_followup"))]


def _twins(folder: Path) -> list[set[str]]:
    for name in ("one", "two"):
        for suffix in ("", "_Tilt_1", "_Eq_1"):
            nifti(folder / f"{name}{suffix}.nii.gz", body(12 + len(suffix)))
    return [{f"{name}{suffix}" for suffix in ("", "_Tilt_1", "_Eq_1")} for name in ("one", "two")]


def _bids(folder: Path) -> list[set[str]]:
    for subject in ("01", "02"):
        for session in ("1", "2"):
            nifti(folder / f"sub-{subject}/ses-{session}/ct/sub-{subject}_ses-{session}_ct.nii.gz")
        series(folder / "sourcedata" / f"x{subject}", body(14), patient=subject)
    return [{f"sub-{one}_ses-1_ct", f"sub-{one}_ses-2_ct", f"x{one}"} for one in ("01", "02")]


def _anonymous_bids(folder: Path) -> list[set[str]]:
    for subject in ("01", "02"):
        for session in ("a", "b"):
            place = folder / f"sub-{subject}/ses-{session}/{subject}{session}"
            series(place, noisy(ord(session) + int(subject) * 99), patient="ANONYMOUS")
    return [{"01a", "01b"}, {"02a", "02b"}]


def _dates(folder: Path) -> list[set[str]]:
    for patient, date in (("A", "2020"), ("A", "2021"), ("B", "2020"), ("C", "2022")):
        nifti(folder / f"{patient}/{date}/ct.nii.gz")
    return [{"A-2020-ct", "A-2021-ct"}, {"B-2020-ct"}, {"C-2022-ct"}]


def _two_formats(folder: Path) -> list[set[str]]:
    for name in ("one", "two", "three"):
        nifti(folder / f"nifti/{name}.nii.gz")
        nifti(folder / f"resampled/{name}.mha", body(13))
    return [{f"nifti-{name}", f"resampled-{name}"} for name in ("one", "two", "three")]


def _copies_under_other_names(folder: Path) -> list[set[str]]:
    """What only the voxels tell: with the noise of a scanner."""
    for k, (patient, name) in enumerate((("X1", "a"), ("X2", "b"))):
        series(folder / f"dicom{k}", noisy(k), patient=patient)
        series(folder / f"again{k}", noisy(k), patient=f"anonymous {name}", uid=f"1.2.{k}")
        nifti(folder / f"{name}.nii.gz", noisy(k))
    return [{f"dicom{k}", f"again{k}", name} for k, name in enumerate("ab")]


def _one_dicom_patient_without_noise(folder: Path) -> list[set[str]]:
    series(folder / "series", body(), patient="X1")
    nifti(folder / "abc.nii.gz")
    nifti(folder / "other.nii.gz", body(13))
    return [{"series", "abc"}, {"other"}]


KINDS = [
    _dicom_and_nifti,
    _twins,
    _bids,
    _anonymous_bids,
    _dates,
    _two_formats,
    _copies_under_other_names,
    _one_dicom_patient_without_noise,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_scans_of_one_patient_are_never_in_two_splits(
    tmp_path: Path, kind: object, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = kind(tmp_path / "in")  # type: ignore[operator]
    found = patients(tmp_path / "in", tmp_path / "out")
    names = [{found[scan] for scan in group} for group in groups]
    assert all(len(own) == 1 for own in names), found
    assert len(set().union(*names)) == len(groups), "and different patients stay apart"
    told = capsys.readouterr().err
    assert all(
        f"one patient, {own.pop()}: " in told for own, group in zip(names, groups, strict=True) if len(group) > 1
    )


def test_equal_phantoms_are_patients_of_their_own_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        nifti(tmp_path / f"in/{name}.nii.gz")
    assert set(patients(tmp_path / "in", tmp_path / "out").values()) == {"one", "two"}
    assert "one.nii.gz, two.nii.gz: the same voxels under several names" in capsys.readouterr().err


def test_what_tells_patients_apart_can_be_said(tmp_path: Path) -> None:
    for site, case, patient in (("s1", "c1_a", "X"), ("s1", "c1_b", "X"), ("s2", "c2_a", "X")):
        series(tmp_path / "in" / site / case, noisy(len(case)), patient=patient, uid=f"1.{site[1]}.{ord(case[-1])}")
    images_differ = iter(range(9))
    for file in sorted((tmp_path / "in").glob("*/*")):
        shutil.rmtree(file)
        series(file, noisy(next(images_differ)), patient="ANONYMOUS")
    cases = {
        None: {"ANONYMOUS"},
        "folder": {"s1", "s2"},
        "name": {"c1_a", "c1_b", "c2_a"},
        r"(c\d)_": {"c1", "c2"},
        r"(?P<site>s\d)/(?P<patient>c\d)": {"c1", "c2"},
        r"c\d": {"c1", "c2"},
    }
    for k, (choice, names) in enumerate(cases.items()):
        assert set(patients(tmp_path / "in", tmp_path / f"out{k}", choice).values()) == names


def test_a_scan_without_the_expression_is_left_out_and_a_wrong_one_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "in/p1.nii.gz")
    nifti(tmp_path / "in/x.nii.gz")
    assert patients(tmp_path / "in", tmp_path / "out", r"p\d") == {"p1": "p1"}
    assert left_out(tmp_path / "out") == {"x.nii.gz": r"--patient-from p\d finds no patient in its path"}
    with pytest.raises(InputError, match=r"--patient-from \(: neither folder, name nor a regular expression"):
        write(tmp_path / "in", tmp_path / "none", patient_from="(")


# ---- a series in several places


def test_a_series_under_several_forms_of_a_patient_id_is_one_scan(tmp_path: Path) -> None:
    forms = ("P1", " p1 ")
    series(tmp_path / "in/a", noisy(0), uid="1.2", edit=lambda header, k: setattr(header, "PatientID", forms[k % 2]))
    series(tmp_path / "in/b", noisy(1), patient="p1 ", uid="1.3")
    series(tmp_path / "in/c", noisy(2), patient="C", uid="1.4")
    found = patients(tmp_path / "in", tmp_path / "out")
    assert found["a"] == found["b"] != found["c"]
    (row,) = [row for row in read_rows(tmp_path / "out/cohort.tsv") if row["scan"] == "a"]
    assert float(row["z_mm"]) == 12 * 10.0, "all slices, not half of them"
    assert read_rows(tmp_path / "out/left_out.tsv") == []


def test_a_series_under_several_patient_ids_is_never_half_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it is read or refused is for the reader of DICOM to say."""
    series(tmp_path / "in/a", noisy(0), uid="1.2", edit=lambda header, k: setattr(header, "PatientID", f"P{k % 2}"))
    series(tmp_path / "in/b", noisy(1), patient="P1", uid="1.3")
    series(tmp_path / "in/c", noisy(2), patient="C", uid="1.4")
    found = patients(tmp_path / "in", tmp_path / "out")
    told = capsys.readouterr().err
    assert "PatientID" in told and "P0" in told and "P1" in told
    if "a" in found:
        assert found["a"] == found["b"]
        assert {row["z_mm"] for row in read_rows(tmp_path / "out/cohort.tsv")} == {"120.0"}


def parted(folder: Path, around: str, names: tuple[str, str]) -> None:
    whole = series(folder / "whole", noisy(0, 20), patient="P", uid="1.2")
    for k, file in enumerate(sorted(whole.iterdir())):
        target = folder / around / names[k >= 12]
        target.mkdir(parents=True, exist_ok=True)
        file.rename(target / file.name)
    whole.rmdir()


def test_a_series_in_several_folders_is_one_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parted(tmp_path / "in", "P", ("IMG0", "IMG1"))
    series(tmp_path / "in/Q", noisy(1), patient="Q", uid="1.3")
    assert patients(tmp_path / "in", tmp_path / "out") == {"P": "P", "Q": "Q"}
    (row,) = [row for row in read_rows(tmp_path / "out/cohort.tsv") if row["scan"] == "P"]
    assert read_ct(Path(row["path"]), row["series_uid"]).array.shape[0] == 20
    assert "lie in 2 folders, and are read as one scan" in capsys.readouterr().err
    assert read_rows(tmp_path / "out/left_out.tsv") == []


@pytest.mark.parametrize("names", [("one", "two"), (".", "two")])
def test_parts_among_other_series_are_refused_both(tmp_path: Path, names: tuple[str, str]) -> None:
    parted(tmp_path / "in", "P", names)
    series(tmp_path / "in/P/other", noisy(1), patient="Q", uid="1.3")
    assert write(tmp_path / "in", tmp_path / "out") == 2
    assert [row["patient"] for row in read_rows(tmp_path / "out/cohort.tsv")] == ["Q"]
    reasons = left_out(tmp_path / "out").values()
    assert len(reasons) == 2 and all("put them into one folder" in reason for reason in reasons)


def test_a_copy_under_another_patient_id_is_that_patient(tmp_path: Path) -> None:
    series(tmp_path / "in/a", noisy(0), patient="A", uid="1.2")
    zipped(series(tmp_path / "copy", noisy(0), patient="Z", uid="1.2"), tmp_path / "in/copy.zip")
    series(tmp_path / "in/later", noisy(1), patient="Z", uid="1.3")
    found = patients(tmp_path / "in", tmp_path / "out")
    assert found == {"a": "A", "later": "A"}
    assert "the same series as" in left_out(tmp_path / "out")["copy.zip"]


# ---- the cases of the shared folder

CASES = {
    "111-cohort-patientid": [{"A"}, {"B"}],
    "112-cohort-anon": [{"case0", "case1", "case2"}],
    "114-cohort-masks": [{"s1-ct"}, {"s2-ct"}],
    "115-cohort-dicom-and-nifti": [{"P1-dcm", "P1_ct"}, {"P2-dcm", "P2_ct"}],
    "116-cohort-bids": [{"sub-01_ses-1_ct", "sub-01_ses-2_ct"}, {"sub-02_ses-1_ct"}],
}


@pytest.mark.parametrize("name", CASES)
def test_a_shared_case_is_read_rightly(real_data: Path, tmp_path: Path, name: str) -> None:
    if not (real_data / f"cases/ct/{name}.zip").is_file():
        pytest.skip(f"no {name}.zip among the cases")
    with zipfile.ZipFile(real_data / f"cases/ct/{name}.zip") as archive:
        archive.extractall(tmp_path / "in")
    found = patients(tmp_path / "in", tmp_path / "out")
    groups = CASES[name]
    assert set(found) == set().union(*groups)
    assert [len({found[scan] for scan in group}) for group in groups] == [1] * len(groups)
    assert len(set(found.values())) == len(groups)
    if name == "112-cohort-anon":
        assert set(patients(tmp_path / "in", tmp_path / "again", "folder").values()) == {"case0", "case1", "case2"}
