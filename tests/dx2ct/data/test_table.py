"""A table of scans is a cohort: the same sheet as of a folder, and every faulty row one line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct.cli import app
from dx2ct.config import FilterSettings
from dx2ct.data.cohort.selection import read_rows
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.cohort.survey import write_cohort
from tests.drr.series import body, write_series, zipped
from tests.dx2ct.data.test_patients import nifti
from tests.fabricate.datasets import lidc, write_mhd

SPACING_MM, ORIGIN_MM = (6.0, 8.0, 20.0), (-10.0, -20.0, -30.0)


def table(path: Path, *lines: str, head: str = "path,patient,split") -> Path:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def survey(source: Path, output: Path, test: float | None = None, **how: object) -> int:
    return write_cohort(source, output, FilterSettings(), test_fraction=test, **how)  # type: ignore[arg-type]


def rows(output: Path) -> dict[str, dict[str, str]]:
    return {row["scan"]: row for row in read_rows(output / "cohort.tsv")}


def reasons(output: Path) -> list[str]:
    with (output / "left_out.tsv").open(newline="") as file:
        return [line["reason"] for line in csv.DictReader(file, delimiter="\t")]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """One of every kind: NIfTI, MetaImage with its voxels beside it, NRRD, a DICOM folder and a zip."""
    folder = tmp_path / "in"
    Volume(body(), SPACING_MM, ORIGIN_MM).write(folder / "a.nii.gz")
    write_mhd(folder / "deep/b.mhd")
    Volume(body(), SPACING_MM, ORIGIN_MM).write(folder / "c.nrrd")
    write_series(folder / "d", patient="D")
    zipped(write_series(tmp_path / "e", patient="E"), folder / "e.zip")
    return folder


ALL = ["a.nii.gz,A,train", "deep/b.mhd,B,train", "c.nrrd,C,val", "d,D,test", "e.zip,E,test"]


def test_every_kind_is_one_row_of_the_sheet_with_the_splits_that_are_said(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert survey(table(scans / "scans.csv", *ALL), tmp_path / "out") == 0
    found = read_sheet(tmp_path / "out/cohort.tsv")
    assert [(row.scan, row.patient, row.split) for row in found] == [
        ("a", "A", "train"),
        ("b", "B", "train"),
        ("c", "C", "val"),
        ("d", "D", "test"),
        ("e", "E", "test"),
    ]
    assert [Path(row.path) for row in found] == [scans / line.partition(",")[0] for line in ALL]
    told = capsys.readouterr()
    assert "patients by column patient\n" in told.out and "--patient-from" not in told.out
    same, low, few = told.err.splitlines()  # of all that are lower than half a cube one line
    assert same.startswith("note: d, e.zip: the same voxels under several names")
    assert "patients are few to test on" in few
    assert low.startswith("note: less than 160 mm high, half of a cube of 320 mm: b.mhd (120.0 mm), d (36.0 mm), e.zip")


def test_the_sheet_is_that_of_the_folder(scans: Path, tmp_path: Path) -> None:
    """But for what tells patients apart; `local` reads both."""
    survey(scans, tmp_path / "folder")
    survey(table(tmp_path / "scans.csv", *(f"in/{line}" for line in ALL)), tmp_path / "table")
    one, other = rows(tmp_path / "folder"), rows(tmp_path / "table")
    assert one.keys() == other.keys()
    differ = {key for scan in one for key in one[scan] if one[scan][key] != other[scan][key]}
    assert differ <= {"patient", "patient_from", "split"} and list(one["a"]) == list(other["a"])
    configs = [(tmp_path / name / "config.yaml").read_text() for name in ("folder", "table")]
    assert configs[0].replace("/folder/", "/table/") == configs[1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "head",
    [
        "path,patient,split",
        "File Name,Patient ID,Set",
        "\ufefffilepath,subject_id,partition",
        "IMAGE,participant-id,split",
    ],
)
def test_columns_have_several_names_and_separators(scans: Path, tmp_path: Path, head: str, delimiter: str) -> None:
    lines = [line.replace(",", delimiter) for line in ["a.nii.gz,A,Training", "c.nrrd,C,validation"]]
    survey(table(scans / "scans.tsv", *lines, head=head.replace(",", delimiter)), tmp_path / "out")
    found = rows(tmp_path / "out")
    assert {scan: (row["patient"], row["split"]) for scan, row in found.items()} == {
        "a": ("A", "train"),
        "c": ("C", "val"),
    }


def test_without_a_split_it_is_drawn_and_a_fraction_draws_it_anew(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = table(scans / "plain.csv", *(line.rpartition(",")[0] for line in ALL), head="path,patient")
    survey(plain, tmp_path / "plain")
    assert sorted(row["split"] for row in rows(tmp_path / "plain").values()) == ["test", *["train"] * 4]
    capsys.readouterr()
    survey(table(scans / "scans.csv", *ALL), tmp_path / "anew", 1.0)
    assert {row["split"] for row in rows(tmp_path / "anew").values()} == {"test"}
    told = capsys.readouterr().err
    assert f"note: --test 1 draws the splits anew: those that {scans / 'scans.csv'} states are not used" in told


def test_validation_is_taken_from_those_that_train(scans: Path, tmp_path: Path) -> None:
    survey(
        table(scans / "scans.csv", *(f"{line.rpartition(',')[0]},train" for line in ALL)),
        tmp_path / "o",
        val_fraction=0.4,
    )
    assert sorted(row["split"] for row in rows(tmp_path / "o").values()) == [*["train"] * 3, *["val"] * 2]


BAD = {
    "gone.nii.gz,G,train": "no such file or folder",
    ",H,train": "no path",
    "deep/b.mhd,,train": "no patient",
    "deep/b.mhd,B,training set": "split 'training set' is not train, val or test",
    "deep/b.mhd,B,": "split is empty: train, val or test",
    "deep/b.mhd,B,train,5": "more than 3 cells",
    "./a.nii.gz,Z,test": "the same scan as line 2",
    "small.nii.gz,S,train": "its box is 12 x 12.8 x 12 mm, a chest's sides are 100 to 2500 mm: "
    "save it with the CT's spacing in mm",
    "flat.nii.gz,F,train": "20 x 16 x 5 voxels are too few along one axis, a CT has at least 10",
    "film.png,P,train": "X-ray image or another picture, a CT is expected",
    "scans.csv,T,train": "no CT: give a DICOM folder or zip, or a file ending in "
    ".mha, .mhd, .nii, .nii.gz, .hdr, .nrrd, .nhdr",
    "deep,U,train": "no DICOM CT series directly in it: name the folder of its slices",
    "page.mha,V,train": "not a MetaImage file, or one without ElementDataFile in its first 65536 bytes",
    "two,W,train": "CTs of 2 patients: name one of their series, 1.2.7, 1.2.8, as series_uid",
    "copy,D,test": "the same series as {d}",
}


def test_a_faulty_row_is_one_line_and_the_others_go_on(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Volume(body(), (0.6, 0.8, 1.0), ORIGIN_MM).write(scans / "small.nii.gz")
    Volume(body(5), (6.0, 8.0, 30.0), ORIGIN_MM).write(scans / "flat.nii.gz")
    (scans / "film.png").write_bytes(b"\x89PNG")
    (scans / "page.mha").write_text("<html>")
    for uid in ("1.2.7", "1.2.8"):
        for file in write_series(tmp_path / uid, patient=uid, uid=uid).iterdir():
            (scans / "two").mkdir(exist_ok=True)
            file.rename(scans / "two" / f"{uid}-{file.name}")
    (scans / "copy").mkdir()
    for file in (scans / "d").iterdir():
        (scans / "copy" / file.name).write_bytes(file.read_bytes())
    source = table(scans / "scans.csv", "a.nii.gz,A,train", "d,D,test", *BAD)
    assert survey(source, tmp_path / "out") == len(BAD)
    assert set(rows(tmp_path / "out")) == {"a", "d"}
    expected = {
        f"scans.csv line {number}: {reason.format(d=scans / 'd')}"
        for number, reason in enumerate(BAD.values(), start=4)
    }
    assert set(reasons(tmp_path / "out")) == expected
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: ")]
    assert len(told) == len(BAD) and all(any(line.endswith(reason) for line in told) for reason in expected)


def test_a_patient_in_two_splits_is_left_out_in_both(scans: Path, tmp_path: Path) -> None:
    """Also under another form of the name; nobody knows which row is right."""
    source = table(scans / "scans.csv", "a.nii.gz,Müller,train", "c.nrrd,MÜLLER ,test", "d,D,train", "e.zip,E,test")
    assert survey(source, tmp_path / "out") == 2
    assert reasons(tmp_path / "out") == [
        f"scans.csv line {number}: patient Müller is in two splits (test, train)" for number in (2, 3)
    ]
    assert set(rows(tmp_path / "out")) == {"d", "e"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty: its first line names the columns, path and patient at least"),
        ("path,patient\n", "no scan in it"),
        ("path,split\na,train\n", "line 1: no column patient: name one patient, patientid, subject, subjectid"),
        ("patient\nA\n", "line 1: no column path: name one path, file, filename, filepath, image"),
        ("path,file,patient\na,b,A\n", "line 1: path and file are both the path: rename one of them"),
        (b"path,patient\n\xff,A\n", "cannot be read ('utf-8' codec"),
        ("path,patient\ngone,A\n", "no CT that can be used and passes the filters"),
    ],
)
def test_a_table_that_is_none_is_one_line(text: str | bytes, problem: str, tmp_path: Path) -> None:
    source = tmp_path / "scans.csv"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        survey(source, tmp_path / "out")
    assert str(error.value).startswith(f"{source}: {problem}") and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_what_is_no_table_and_options_of_folders_are_one_line(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.nii\.gz: not a folder, and no table \(\.csv, \.tsv\)"):
        survey(scans / "a.nii.gz", tmp_path / "out")
    source = table(scans / "scans.csv", *ALL)
    for how, option in (({"preset": "luna16"}, "--preset luna16"), ({"patient_from": "name"}, "--patient-from name")):
        with pytest.raises(InputError, match=f"{option}: .*scans.csv is a table, which says itself what and whose"):
            survey(source, tmp_path / "out", **how)


def test_further_splits_are_kept_and_other_columns_are_said_not_to_be_read(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "path,patient,split,split_fold1,mask,age"
    source = table(scans / "s.csv", "a.nii.gz,A,train,test,m.nii,60", "c.nrrd,C,test,,n.nii,", head=head)
    survey(source, tmp_path / "out")
    told = capsys.readouterr()
    assert f"note: {source}: not read: the columns mask, age" in told.err
    assert f"further splits, as cohort.split of {tmp_path / 'out/config.yaml'}: fold1" in told.out
    found = rows(tmp_path / "out")
    assert [found[scan]["split_fold1"] for scan in ("a", "c")] == ["test", ""] and "mask" not in found["a"]


def test_a_series_uid_names_one_of_several(scans: Path, tmp_path: Path) -> None:
    for uid in ("1.2.7", "1.2.8"):
        for file in write_series(tmp_path / uid, patient=uid, uid=uid).iterdir():
            (scans / "two").mkdir(exist_ok=True)
            file.rename(scans / "two" / f"{uid}-{file.name}")
    lines = ["two,A,train,1.2.8", "two,B,test,1.2.7", "two,C,test,1.2.9", "a.nii.gz,D,test,x", "two,E,test,1.2.8"]
    survey(table(scans / "s.csv", *lines, head="path,patient,split,SeriesInstanceUID"), tmp_path / "out")
    assert sorted((row["patient"], row["series_uid"]) for row in rows(tmp_path / "out").values()) == [
        ("A", "1.2.8"),
        ("B", "1.2.7"),
    ]
    assert sorted(reasons(tmp_path / "out")) == [
        "s.csv line 4: no CT series 1.2.9 in it, only 1.2.7, 1.2.8",
        "s.csv line 5: series_uid 'x' is no DICOM UID",
        "s.csv line 6: the same scan as line 2",
    ]


def test_slope_and_intercept_make_hu_of_stored_values(scans: Path, tmp_path: Path) -> None:
    """They stand in the sheet, and the volume is that of the file in HU."""
    stored = np.rint((body() + 1024) / 2).astype(np.int16)
    Volume(stored, SPACING_MM, ORIGIN_MM).write(scans / "stored.nii.gz")
    lines = [
        "a.nii.gz,A,train,,",
        "stored.nii.gz,B,test,2,-1024",
        "d,D,test,1,0",
        "c.nrrd,C,test,x,",
        "e.zip,E,test,0,",
    ]
    survey(table(scans / "s.csv", *lines, head="path,patient,split,RescaleSlope,RescaleIntercept"), tmp_path / "out")
    found = rows(tmp_path / "out")
    assert found["a"]["header"] == "" and json.loads(found["stored"]["header"])["intercept"] == -1024
    assert sorted(reasons(tmp_path / "out")) == [
        "s.csv line 4: a DICOM series states its own slope and intercept: leave both empty",
        "s.csv line 5: slope 'x' is no number",
        "s.csv line 6: a header of slope 0 and [0.0] is none: finite numbers, no slope of 0",
    ]
    for scan in ("a", "stored"):
        prepare(found[scan], tmp_path / f"{scan}.mha")
    one, other = (np.asarray(read(tmp_path / f"{scan}.mha"), float) for scan in ("a", "stored"))
    assert np.abs(one - other).max() <= 2  # stored in steps of 2 HU


def prepare(row: dict[str, str], output: Path) -> None:
    """What the rule `volume` runs."""
    words = [row["path"], "--settings", '{"spacing_mm": 10.0, "size": 16}', "-o", str(output)]
    done = CliRunner().invoke(app, ["volume", *words, f"--header={row['header']}"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def read(path: Path) -> np.ndarray:
    return read_volume(path).array


@pytest.mark.parametrize(
    ("header", "problem"), [("{", "settings are no JSON"), ('{"slop": 1}', "slop"), ('{"slope": "x"}', "slope")]
)
def test_a_header_that_is_edited_wrongly_is_one_line(header: str, problem: str, tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii.gz")
    words = ["volume", str(path), "--settings", "{}", "-o", str(tmp_path / "o.mha"), "--header", header]
    with pytest.raises(InputError) as error:
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert str(error.value).startswith(f"--header {header}: {problem}") and "\n" not in str(error.value)


def test_voxels_are_not_read(scans: Path, tmp_path: Path) -> None:
    """A table of thousands of files must not take a day: the job that reads the voxels finds what is wrong there."""
    (scans / "a.nii.gz").write_bytes((scans / "a.nii.gz").read_bytes()[:600])
    assert survey(table(scans / "scans.csv", *ALL), tmp_path / "out") == 0


def test_two_files_of_one_patient_of_lidc_are_one_patient_whatever_the_table_calls_them(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LIDC-IDRI-0442 has two CTs, and they lie in two splits of the published lists."""
    one, two = (row["series_uid"] for row in lidc("LIDC-IDRI-0442-5405", "LIDC-IDRI-0442-5472"))
    for uid in (one, two):
        write_mhd(scans / f"{uid}.mhd")
    lines = [f"{one}.mhd,A,train", f"{two}.mhd,B,test", "d,D,train", "e.zip,E,test"]
    assert survey(table(scans / "scans.csv", *lines), tmp_path / "out") == 2
    assert reasons(tmp_path / "out") == [
        f"scans.csv line {k}: patient A is in two splits (test, train)" for k in (2, 3)
    ]
    assert "one patient, A: column patient A, B; LIDC-IDRI's table LIDC-IDRI-0442" in capsys.readouterr().err
