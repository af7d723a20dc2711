import csv
from pathlib import Path
import subprocess
import zipfile

import pytest
import yaml

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import check, FilterSettings
from dx2ct.data.cohort.names import scan_names
from dx2ct.data.cohort.selection import BOUNDS, read_rows
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.cohort.splits import split_patients
from dx2ct.data.cohort.survey import write_cohort
from dx2ct.planning.resolve import resolve
from tests.conftest import ROOT
from tests.drr.series import body, write_series, zipped


def write(
    folder: Path,
    output: Path,
    test: float = 0.2,
    val: float = 0.0,
    seed: int = 0,
    patient_from: str | None = None,
    leave_one_out: bool = False,
    force: bool = False,
    **filters: object,
) -> int:
    values = dict.fromkeys([*BOUNDS, "contrast"]) | {"exclude_flags": []} | filters
    chosen = check(FilterSettings, **values)
    split = {"test_fraction": test, "val_fraction": val}
    how = {"seed": seed, "patient_from": patient_from, "leave_one_out": leave_one_out, "force": force}
    return write_cohort(folder, output, chosen, **split, **how)


def left_out(output: Path) -> dict[str, str]:
    with (output / "left_out.tsv").open(newline="") as file:
        return {Path(line["path"]).name: line["reason"] for line in csv.DictReader(file, delimiter="\t")}


def volume_file(path: Path) -> Path:
    Volume(body(), (6.0, 8.0, 10.0), (0.0, 0.0, 0.0)).write(path)
    return path


@pytest.fixture
def cts(tmp_path: Path) -> Path:
    """Three good scans of three patients, of three kinds, and files that are none."""
    folder = tmp_path / "cts"
    write_series(folder / "a" / "ct", patient="A")
    zipped(write_series(tmp_path / "b", patient="B"), folder / "b.zip")
    volume_file(folder / "c.nii.gz")
    (folder / "README.md").write_text("my scans")
    (folder / "a" / "table.csv").write_text("1,2")
    return folder


def test_every_kind_of_scan_is_found_and_can_be_read(cts, tmp_path, capsys):
    assert write(cts, tmp_path / "mine") == 0
    rows = read_sheet(tmp_path / "mine" / "cohort.tsv")
    assert [(row.scan, row.patient) for row in rows] == [("ct", "A"), ("b", "B"), ("c", "c")]
    assert all(Path(row.path).is_absolute() for row in rows)
    for row in rows:
        assert read_ct(Path(row.path), row.series_uid or None).array.shape == body().shape
    assert (tmp_path / "mine" / "left_out.tsv").read_text() == "path\treason\n"
    low = "ct (36.0 mm), b.zip (36.0 mm), c.nii.gz (120.0 mm)"
    told, few = capsys.readouterr().err.splitlines()
    assert few.startswith("note: 3 patients are few to test on")
    assert told.startswith(f"note: less than 160 mm high, half of a cube of 320 mm: {low}: parts of a chest, or none")


def test_config_holds_the_cohort_alone_and_is_laid_over_the_demo(cts, tmp_path):
    output = tmp_path / 'mine: "odd" näme'
    write(cts, output)
    config = yaml.safe_load((output / "config.yaml").read_text(encoding="utf-8"))
    sheet, table = str(output / "cohort.tsv"), str(output / "left_out.tsv")
    whole = {"split": None, "limit": None}
    assert config.pop("base") == "config.yaml"
    assert config == {"cohort": {"source": "local", "sheet": sheet, "left_out": table} | whole}
    resolved = resolve([output / "config.yaml"], ROOT).config
    assert (resolved.cohort.source, resolved.slices.size) == ("local", 48) and "dx2ct" in resolved.runs


def test_folder_that_is_itself_a_series(cts, tmp_path):
    for file in write_series(tmp_path / "d", patient="D").iterdir():
        file.rename(cts / file.name)
    write(cts, tmp_path / "mine")
    assert {row.scan: row.patient for row in read_sheet(tmp_path / "mine" / "cohort.tsv")}["cts"] == "D"


def test_flat_folder_of_several_patients_is_one_scan_each(cts, tmp_path, capsys):
    for patient, slices in (("D", 12), ("E", 13), ("E", 11)):
        source = write_series(tmp_path / f"{patient}{slices}", body(slices), patient=patient, uid=f"1.2.{slices}")
        for file in source.iterdir():
            (cts / "flat").mkdir(exist_ok=True)
            file.rename(cts / "flat" / f"{patient}{slices}{file.name}")
    assert write(cts, tmp_path / "mine") == 0
    rows = [row for row in read_sheet(tmp_path / "mine" / "cohort.tsv") if row.scan.startswith("flat")]
    assert {(row.patient, row.series_uid) for row in rows} == {("D", "1.2.12"), ("E", "1.2.13")}
    assert len({row.scan for row in rows}) == 2
    assert "passes over 1.2.11 (11)" in capsys.readouterr().err


def _bad_scans(folder: Path, tmp_path: Path) -> dict[str, str]:
    """Put one scan of every defect into the folder; name -> the reason that must be given."""
    write_series(folder / "hole", body(32), patient="H", skip=range(10, 24))
    write_series(folder / "five", body(5), patient="F")
    write_series(
        folder / "mr", patient="M", edit=lambda header, k: setattr(header, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.4")
    )
    write_series(
        folder / "film",
        patient="X",
        edit=lambda header, k: setattr(header, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.1"),
        skip=range(1, 12),
    )
    cut = write_series(folder / "cut", patient="C") / "0005.dcm"
    cut.write_bytes(cut.read_bytes()[:-100])
    (folder / "nothing").mkdir()
    (folder / "film.png").write_bytes(b"\x89PNG")
    (folder / "broken.zip").write_text("no zip")
    with zipfile.ZipFile(zipped(write_series(tmp_path / "s", patient="S"), folder / "slip.zip"), "a") as archive:
        archive.writestr("../../evil.dcm", b"")
    with zipfile.ZipFile(folder / "papers.zip", "w") as archive:
        archive.writestr("paper.txt", "hello")
    Volume((body() + 1024).clip(0, 255), (1.5, 2.0, 3.0), (0.0, 0.0, 0.0)).write(folder / "grey.nii.gz")
    (folder / "page.mha").write_text("<html>")
    (folder / "again.zip").write_bytes((folder / "b.zip").read_bytes())
    return {
        "hole": "slices are missing between z = -3 mm and z = 42 mm",
        "five": "5 CT slices are too few",
        "mr": "no CT series, only CT (MR Image Storage)",
        "0000.dcm": "X-ray image, a CT is expected",
        "cut": "0005.dcm: the file is cut short",
        "nothing": "empty folder",
        "film.png": "X-ray image or another picture, a CT is expected",
        "broken.zip": "not a readable zip",
        "slip.zip": "the zip holds a path outside itself",
        "papers.zip": "no DICOM CT series in it",
        "grey.nii.gz": "are not HU",
        "page.mha": "not a MetaImage file",
        "b.zip": "the same series as",
    }


def test_bad_scans_are_one_line_each_and_the_others_go_on(cts, tmp_path, capsys):
    bad = _bad_scans(cts, tmp_path)
    assert write(cts, tmp_path / "mine") == len(bad)
    assert {row.patient for row in read_sheet(tmp_path / "mine" / "cohort.tsv")} == {"A", "B", "c"}
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: ")]
    table = left_out(tmp_path / "mine")
    assert len(lines) == len(bad) and table.keys() == bad.keys()
    for name, reason in bad.items():
        assert reason in table[name]
        assert sum(f"{name}: {table[name]}" in line for line in lines) == 1


def test_command_writes_the_sheet_and_exits_1_when_a_scan_was_left_out(cts, tmp_path):
    from typer.testing import CliRunner

    from dx2ct.cli import app

    (cts / "broken.zip").write_text("no zip")
    result = CliRunner().invoke(app, ["cohort", str(cts), "-o", str(tmp_path / "mine")])
    assert result.exit_code == 1
    assert "broken.zip: not a readable zip" in result.stderr
    assert len(read_sheet(tmp_path / "mine" / "cohort.tsv")) == 3


def test_no_scan_writes_nothing(cts, tmp_path):
    for path in [cts / "b.zip", cts / "c.nii.gz", *(cts / "a" / "ct").iterdir()]:
        path.unlink()
    with pytest.raises(InputError, match="cts: no CT that can be used"):
        write(cts, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(("test", "split"), [(0.2, "train"), (0.0, "train"), (1.0, "test")])
def test_one_patient_is_prepared_or_tested(cts, tmp_path, capsys, test, split):
    (cts / "b.zip").unlink()
    (cts / "c.nii.gz").unlink()
    assert write(cts, tmp_path / "mine", test) == 0
    assert [(row.patient, row.split) for row in read_sheet(tmp_path / "mine" / "cohort.tsv")] == [("A", split)]
    told = capsys.readouterr()
    assert f"no patient in split {'train' if split == 'test' else 'test'}" in told.err
    assert told.out.splitlines()[-1].startswith("next: snakemake results/qc.html ")


@pytest.mark.parametrize(("test", "parts"), [(0.0, {"train"}), (1.0, {"test"})])
def test_all_train_or_all_are_an_external_test(cts, tmp_path, test, parts):
    write(cts, tmp_path / "mine", test)
    assert {row.split for row in read_sheet(tmp_path / "mine" / "cohort.tsv")} == parts


def test_leave_one_out_tests_every_patient_once_in_the_order_of_their_names(cts, tmp_path, capsys):
    write_series(cts / "b again", patient="B")
    assert write(cts, tmp_path / "out", leave_one_out=True, seed=3) == 0
    rows = read_rows(tmp_path / "out/cohort.tsv")
    folds = [name for name in rows[0] if name.startswith("split_")]
    assert folds == ["split_fold1", "split_fold2", "split_fold3"]
    for column, patient in zip(folds, ("A", "B", "c"), strict=True):
        assert {row["patient"] for row in rows if row[column] == "test"} == {patient}
        assert all(row[column] == "train" for row in rows if row["patient"] != patient)
        assert len(read_sheet(tmp_path / "out/cohort.tsv", fold=column.removeprefix("split_"))) == 4
    config = resolve([tmp_path / "out/config.yaml"], ROOT).config
    assert config.folds == ("fold1", "fold2", "fold3") and config.cohort.sheet == str(tmp_path / "out/cohort.tsv")
    said = capsys.readouterr()
    assert "leave one out: 3 folds, split_fold1 to split_fold3" in said.out and "few to test on" not in said.err
    assert write(cts, tmp_path / "again", leave_one_out=True, seed=4) == 0
    again = read_rows(tmp_path / "again/cohort.tsv")
    assert [[row[name] for name in folds] for row in again] == [[row[name] for name in folds] for row in rows]
    assert write(cts, tmp_path / "none") == 0
    assert (
        "3 patients are few to test on: --leave-one-out tests each by a training without them"
        in capsys.readouterr().err
    )
    assert "split_fold1" not in read_rows(tmp_path / "none/cohort.tsv")[0]
    assert "folds" not in (tmp_path / "none/config.yaml").read_text()


def test_leave_one_out_needs_two_patients(tmp_path):
    write_series(tmp_path / "cts/one", patient="A")
    write_series(tmp_path / "cts/two", patient="A")
    with pytest.raises(InputError, match=r"^1 patient: --leave-one-out needs two at least, one to train on and one to"):
        write(tmp_path / "cts", tmp_path / "out", leave_one_out=True)
    assert not (tmp_path / "out").exists()


def test_not_a_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere: not a folder"):
        write(tmp_path / "nowhere", tmp_path / "mine")


@pytest.mark.parametrize(
    ("test", "val"), [(1.1, 0.0), (1.0, 0.1), (0.6, 0.4), (-0.1, 0.0), (0.2, -0.1), (float("nan"), 0)]
)
def test_fractions_that_make_no_split(tmp_path, test, val):
    with pytest.raises(InputError, match=r"--test .* leave nothing"):
        write(tmp_path, tmp_path / "mine", test, val)


def test_output_inside_the_folder_is_not_read_again(cts):
    write(cts, cts / "mine")
    volume_file(cts / "mine" / "reconstruction.nii.gz")
    write(cts, cts / "mine", force=True)
    assert len(read_sheet(cts / "mine" / "cohort.tsv")) == 3


@pytest.mark.parametrize("name", ["cohort.tsv", "left_out.tsv", "config.yaml"])
def test_an_edited_file_is_not_overwritten(cts, tmp_path, name):
    write(cts, tmp_path / "mine")
    for other in {"cohort.tsv", "left_out.tsv", "config.yaml"} - {name}:
        (tmp_path / "mine" / other).unlink()
    (tmp_path / "mine" / name).write_text("edited")
    with pytest.raises(InputError, match=f"{name}: is there already.*--force"):
        write(cts, tmp_path / "mine")
    assert (tmp_path / "mine" / name).read_text() == "edited"
    write(cts, tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / name).read_text() != "edited"


def test_git_does_not_see_the_sheet(cts, tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/notes.txt").write_text("a file of the user's")
    for output in ("mine", "theirs"):
        write(cts, tmp_path / output)
        line = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all", output]
        seen = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        assert not [name for name in ("cohort.tsv", "left_out.tsv", "config.yaml") if name in seen]
        assert ("notes.txt" in seen) == (output == "theirs")


def test_circular_links_end(cts, tmp_path):
    (cts / "a" / "back").symlink_to(cts)
    (cts / "linked").symlink_to(write_series(tmp_path / "elsewhere", patient="L"))
    assert write(cts, tmp_path / "mine") == 0
    assert "L" in {row.patient for row in read_sheet(tmp_path / "mine" / "cohort.tsv")}


def test_patient_id_cannot_shape_the_sheet(cts, tmp_path):
    write_series(cts / "odd", patient="../x\ty\nz")
    write_series(cts / "nameless", patient="")
    write(cts, tmp_path / "mine")
    rows = {row.scan: row.patient for row in read_sheet(tmp_path / "mine" / "cohort.tsv")}
    assert rows["odd"] == "../x y z"
    assert rows["nameless"] == "nameless"


@pytest.mark.parametrize("patients", range(2, 12))
@pytest.mark.parametrize(("test", "val"), [(0.2, 0.0), (0.01, 0.01), (0.98, 0.01), (0.3, 0.3)])
def test_split_laws(patients, test, val):
    scans = [f"p{k}" for k in range(patients)] * 2
    split = split_patients(scans, test, val, 3, Path("x"))
    assert split == split_patients(scans[::-1], test, val, 3, Path("x"))
    parts = list(split.values())
    assert len(parts) == patients
    assert parts.count("train") >= 1 and parts.count("test") >= 1
    assert abs(parts.count("test") - test * patients) <= 1
    assert abs(parts.count("val") - val * patients) <= 1


def test_seed_changes_the_split():
    splits = {str(sorted(split_patients("abcdefgh", 0.5, 0, seed, Path("x")).items())) for seed in range(5)}
    assert len(splits) > 1


def test_scan_names_are_safe_and_unique(tmp_path):
    paths = ["P1/CT", "P2/CT", "x y.zip", "x-y.nii.gz", "--help", "Ünal.nii", "..", "A.mha", "a.mha"]
    names = scan_names([tmp_path / path for path in paths], tmp_path)
    assert names[:2] == ["P1-CT", "P2-CT"]
    assert names[4] == "help"
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in names)


@pytest.mark.slow
def test_all_real_scans_are_found(real_data, tmp_path, capsys):
    assert write(real_data / "ct", tmp_path / "mine") == 0
    rows = read_sheet(tmp_path / "mine" / "cohort.tsv")
    assert [row.scan for row in rows] == [
        "C3N-00247",
        "LIDC-IDRI-0001",
        "LIDC-IDRI-0002-2mm",
        "Lung_Dx-A0001",
        "Lung_Dx-A0002",
        "R01-001-2mm",
        "pyradiomics-lung2-2mm",
    ]
    assert {"train", "test"} == {row.split for row in rows}
    assert capsys.readouterr().err.splitlines() == [
        f"note: {real_data / 'ct' / 'Lung_Dx-A0002.zip'}: slices are 8 mm apart: very thick, "
        "the volume will be smooth along z",
        "note: 7 patients are few to test on: --leave-one-out tests each by a training without them",
    ]


def test_one_file_name_in_every_patients_folder(tmp_path: Path) -> None:
    for name in ("s1", "s2", "s3"):
        volume_file(tmp_path / "in" / name / "ct.nii.gz")
    assert write(tmp_path / "in", tmp_path / "out") == 0
    rows = read_sheet(tmp_path / "out/cohort.tsv")
    assert [(row.scan, row.patient) for row in rows] == [("s1-ct", "s1"), ("s2-ct", "s2"), ("s3-ct", "s3")]


def test_what_a_workflow_made_is_no_new_scan(tmp_path: Path) -> None:
    for name in ("a", "b"):
        volume_file(tmp_path / f"{name}.nii.gz")
    (tmp_path / ".snakemake").mkdir()
    volume_file(tmp_path / "results/dx2ct/volumes/c.nii.gz")
    write(tmp_path, tmp_path / "out")
    assert {row.scan for row in read_sheet(tmp_path / "out/cohort.tsv")} == {"a", "b"}


def test_filters_leave_out_with_a_reason_and_are_no_failure(tmp_path: Path) -> None:
    for name, spacing in (("thin", 2.0), ("thick", 6.0), ("third", 2.0)):
        Volume(body(60), (8.0, 8.0, spacing), (0.0, 0.0, 0.0)).write(tmp_path / f"in/{name}.nii.gz")
    assert write(tmp_path / "in", tmp_path / "out", max_slice_mm=5.0) == 0
    assert {row.scan for row in read_sheet(tmp_path / "out/cohort.tsv")} == {"thin", "third"}
    assert left_out(tmp_path / "out") == {"thick.nii.gz": "slice_mm 6.000 is above max_slice_mm 5"}
    with pytest.raises(InputError, match="passes the filters"):
        write(tmp_path / "in", tmp_path / "none", max_slice_mm=1.0)


def test_the_sheet_says_what_can_be_filtered_by(tmp_path: Path) -> None:
    write_series(tmp_path / "in/dicom", body(), patient="dicom", step_mm=3.0)
    Volume(body(30), (6.0, 8.0, 4.0), (0.0, 0.0, 0.0)).write(tmp_path / "in/file.nii.gz")
    write(tmp_path / "in", tmp_path / "out")
    rows = {row["patient"]: row for row in read_rows(tmp_path / "out/cohort.tsv")}
    slices, _, columns = body().shape
    dicom, file = rows["dicom"], rows["file"]
    assert (dicom["slice_mm"], dicom["largest_gap_mm"], float(dicom["z_mm"])) == ("3.000", "3.000", 3 * slices)
    assert (dicom["contrast"], dicom["flags"]) == ("no", "")
    assert (file["slice_mm"], float(file["z_mm"]), float(file["fov_mm"])) == ("4.000", 4 * 30, 6 * columns)
    assert (file["largest_gap_mm"], file["contrast"]) == ("", "")
