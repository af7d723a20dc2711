"""LUNA16 and CT-RATE are recognised by their trees: whose a scan is, its split, and what its header means."""

import json
from pathlib import Path
import shutil

import nibabel
import numpy as np
import pytest

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import plain, SelectionSettings
from dx2ct.data.cohort.datasets import datasets
from dx2ct.data.cohort.selection import leaks, read_rows, select
from tests.drr.series import body, write_series
from tests.dx2ct.data.test_patients import nifti
from tests.dx2ct.data.test_table import prepare, read, reasons, rows, survey
from tests.fabricate.datasets import (
    ct_rate,
    lidc,
    lidc_series,
    luna16,
    metadata_row,
    ORIGIN_MM,
    SPACING_MM,
    write_metadata,
    write_mhd,
    write_raw,
)

SUBSETS = {0: ["LIDC-IDRI-0001", "LIDC-IDRI-0442-5405"], 1: ["LIDC-IDRI-0002"], 4: ["LIDC-IDRI-0442-5472"]}
VOLUMES = ["train_1_a_1", "train_1_a_2", "train_1_b_2", "train_1_b_10", "train_2_a_1", "valid_1_a_1"]


def no_filters(split: str) -> dict[str, object]:
    return plain(SelectionSettings(split=split))  # type: ignore[no-any-return]


# ---- LUNA16


@pytest.mark.parametrize("preset", ["auto", "luna16"])
def test_luna16_has_the_patients_and_names_of_lidc(
    tmp_path: Path, preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = luna16(tmp_path / "in", SUBSETS)
    assert survey(folder, tmp_path / "out", preset=preset) == 0, "its masks are no scans"
    found = rows(tmp_path / "out")
    assert {scan: row["patient"] for scan, row in found.items()} == {
        "LIDC-IDRI-0001": "LIDC-IDRI-0001",
        "LIDC-IDRI-0002": "LIDC-IDRI-0002",
        "LIDC-IDRI-0442-5405": "LIDC-IDRI-0442",
        "LIDC-IDRI-0442-5472": "LIDC-IDRI-0442",
    }
    assert {row["patient_from"] for row in found.values()} == {"LUNA16"}
    assert {row["series_uid"] for row in found.values()} == {""}, "of a volume file nobody can take a series"
    told = capsys.readouterr()
    how = " (--preset none reads them as any other files)" if preset == "auto" else ""
    assert f"note: {folder}: 4 scans in subset0, subset1, subset4: read as LUNA16{how}\n" in told.err
    assert "further splits, as cohort.split of" in told.out and ": subset0, subset1, subset4" in told.out


def test_the_subsets_are_folds_in_which_no_patient_leaks(tmp_path: Path) -> None:
    """LIDC-IDRI-0442 lies in two subsets: where one of its CTs is tested, the other is in no part."""
    survey(luna16(tmp_path / "in", SUBSETS), tmp_path / "out")
    found = read_rows(tmp_path / "out/cohort.tsv")
    parts = {}
    for fold in (0, 1, 4):
        kept, _ = select(found, no_filters(f"subset{fold}"))
        assert leaks(kept) == []
        parts[fold] = {row["scan"]: row["split"] for row in kept}
        assert {scan for scan, part in parts[fold].items() if part == "test"} == set(SUBSETS[fold])
    assert set(parts[1]) == {row["scan"] for row in found}
    assert "LIDC-IDRI-0442-5472" not in parts[0] and "LIDC-IDRI-0442-5405" not in parts[4]
    with pytest.raises(InputError, match="needs the column split_subset2"):
        select(found, no_filters("subset2"))


@pytest.mark.parametrize("seed", range(4))
def test_a_patient_of_luna16_and_lidc_lies_in_one_split_and_it_is_said(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    luna16(tmp_path / "in/luna", {0: ["LIDC-IDRI-0001", "LIDC-IDRI-0442-5405"], 3: ["LIDC-IDRI-0003"]})
    nifti(tmp_path / "in/lidc/LIDC-IDRI-0003-2mm.nii.gz")  # what somebody made of it
    lidc_series(tmp_path / "in/lidc", "LIDC-IDRI-0001")
    lidc_series(tmp_path / "in/lidc", "LIDC-IDRI-0442-5472")  # the other CT of the patient
    nifti(tmp_path / "in/own.nii.gz")
    survey(tmp_path / "in", tmp_path / "out", 0.5, seed=seed)
    found = read_rows(tmp_path / "out/cohort.tsv")
    assert len(found) == 7 and leaks(found) == []
    assert {row["patient"] for row in found} == {"LIDC-IDRI-0001", "LIDC-IDRI-0442", "LIDC-IDRI-0003", "own"}
    told = [line for line in capsys.readouterr().err.splitlines() if "LUNA16 is a part" in line]
    assert told == [
        "note: LUNA16 is a part of LIDC-IDRI: 2 patients have CTs of both here (LIDC-IDRI-0001, LIDC-IDRI-0442); "
        "each lies in one split, but counts twice"
    ]
    kept, _ = select(found, no_filters("subset0"))
    assert {row["scan"]: row["split"] for row in kept} == {
        "LIDC-IDRI-0001": "test",
        "LIDC-IDRI-0442-5405": "test",
        "LIDC-IDRI-0003": "train",
    }, "the folds are LUNA16's alone"


def test_a_series_of_lidc_is_its_patients_without_the_patient_id(tmp_path: Path) -> None:
    """Also a file that somebody has named by its UID; it is recognised in any folder."""
    one, other = lidc("LIDC-IDRI-0001", "LIDC-IDRI-0002")
    write_series(tmp_path / "in/a", patient="ANONYMOUS", uid=one["series_uid"])
    write_series(tmp_path / "in/b", body(13), patient="ANONYMOUS", uid=other["series_uid"])
    write_mhd(tmp_path / "in/files" / f"{one['series_uid']}.mhd")
    survey(tmp_path / "in", tmp_path / "out", 0.0)
    found = rows(tmp_path / "out").values()
    assert sorted(row["patient"] for row in found) == ["LIDC-IDRI-0001", "LIDC-IDRI-0001", "LIDC-IDRI-0002"]
    assert {row["patient_from"] for row in found} == {"LIDC-IDRI's table"}


def test_a_subset_with_a_file_of_another_name_is_luna16_only_where_that_is_said(tmp_path: Path) -> None:
    folder = luna16(tmp_path / "in", {0: ["LIDC-IDRI-0001"]})
    write_mhd(folder / "subset0/mine.mhd")
    assert survey(folder, tmp_path / "auto") == 0
    assert {row["patient"] for row in rows(tmp_path / "auto").values()} == {"LIDC-IDRI-0001", "mine"}
    assert survey(folder, tmp_path / "said", preset="luna16") == 1
    assert reasons(tmp_path / "said") == ["its name is the SeriesInstanceUID of no CT of LIDC-IDRI"]


# ---- CT-RATE


@pytest.mark.parametrize("preset", ["auto", "ct-rate"])
@pytest.mark.parametrize("tree", ["fixed", "raw"])
def test_ct_rate_is_one_reconstruction_a_scan_with_its_patient_and_split(
    tmp_path: Path, tree: str, preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ct_rate(tmp_path / "in", VOLUMES, tree)
    assert survey(folder, tmp_path / "out", preset=preset) == 0
    assert {scan: (row["patient"], row["split"]) for scan, row in rows(tmp_path / "out").items()} == {
        "train_1_a_1": ("train_1", "train"),
        "train_1_b_2": ("train_1", "train"),
        "train_2_a_1": ("train_2", "train"),
        "valid_1_a_1": ("valid_1", "test"),
    }
    remark = (
        f"note: {folder}: 4 scans, of each the reconstruction of the lowest number; 2 others are passed over, "
        "valid is in split test: read as CT-RATE"
    )
    assert remark in capsys.readouterr().err


def test_a_raw_volume_and_its_fixed_one_are_one_volume(tmp_path: Path) -> None:
    """Slope, intercept, spacing and place of the metadata instead of a blank header."""
    for tree in ("fixed", "raw"):
        survey(ct_rate(tmp_path / tree, ["train_1_a_1"], tree), tmp_path / f"{tree}-out", 0.0)
        prepare({"header": "", **rows(tmp_path / f"{tree}-out")["train_1_a_1"]}, tmp_path / f"{tree}.mha")
    one, other = (np.asarray(read(tmp_path / f"{tree}.mha"), float) for tree in ("fixed", "raw"))
    assert np.abs(one - other).max() <= 2 and one.std() > 100  # raw is stored in steps of 2 HU
    fixed, raw = (rows(tmp_path / f"{tree}-out")["train_1_a_1"] for tree in ("fixed", "raw"))
    assert "header" not in fixed and json.loads(raw["header"])["blank_only"]
    assert {key for key in fixed if fixed[key] != raw[key]} == {"path"}, "filters see the true size"


def test_a_raw_tree_that_was_corrected_in_place_is_not_rescaled_again(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", ["train_1_a_1", "train_2_a_1"], "raw")
    Volume(body(), SPACING_MM, ORIGIN_MM).write(folder / "dataset/train/train_2/train_2_a/train_2_a_1.nii.gz")
    survey(folder, tmp_path / "out", 0.0)
    for scan in ("train_1_a_1", "train_2_a_1"):
        prepare(rows(tmp_path / "out")[scan], tmp_path / f"{scan}.mha")
    one, other = (np.asarray(read(tmp_path / f"train_{k}_a_1.mha"), float) for k in (1, 2))
    assert np.abs(one - other).max() <= 2


def test_without_metadata_one_line_says_what_to_download(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", VOLUMES, "raw", metadata=False)
    with pytest.raises(InputError) as error:
        survey(folder, tmp_path / "out")
    assert str(error.value) == (
        f"{folder}: the volumes of train have blank headers: download dataset/metadata/train_metadata.csv of CT-RATE "
        "into this folder, or take train_fixed, whose headers are whole"
    )
    assert not (tmp_path / "out").exists()


def test_metadata_is_found_anywhere_in_the_folder_or_beside_it(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", ["train_1_a_1"], "raw")
    survey(folder / "dataset/train", tmp_path / "beside", 0.0)
    shutil.move(folder / "dataset/metadata/train_metadata.csv", folder / "train_metadata.csv")
    survey(folder, tmp_path / "inside", 0.0)
    assert rows(tmp_path / "beside") == rows(tmp_path / "inside") != {}


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"XYSpacing": ""}, "train_metadata.csv says nothing of its XYSpacing (empty)"),
        ({"ZSpacing": "nan"}, "train_metadata.csv says nothing of its ZSpacing (nan)"),
        ({"ImageOrientationPatient": "[1, 0]"}, "says nothing of its ImageOrientationPatient ([1, 0])"),
        ({"ImageOrientationPatient": "[1, 0, 0, 0.5, 1, 0]"}, "is sheared, its x and y axes are"),
        ({"RescaleSlope": "0"}, "a header of slope 0 and [-1024.0"),
        ({"ZSpacing": "0.01"}, "its box is 120 x 128 x 0.12 mm"),
        ({"VolumeName": "train_9_a_1.nii.gz"}, "not in train_metadata.csv, which says what its values mean"),
    ],
)
def test_metadata_that_says_nothing_leaves_out_its_volume_alone(
    tmp_path: Path, cells: dict[str, str], problem: str
) -> None:
    folder = ct_rate(tmp_path / "in", ["train_1_a_1", "train_2_a_1"], "raw")
    lines = [metadata_row("train_1_a_1", **cells), metadata_row("train_2_a_1")]
    write_metadata(folder / "dataset/metadata/train_metadata.csv", lines)
    assert survey(folder, tmp_path / "out", 0.0) == 1
    (reason,) = reasons(tmp_path / "out")
    assert problem in reason and set(rows(tmp_path / "out")) == {"train_2_a_1"}


def test_metadata_without_a_column_is_one_line(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", ["train_1_a_1"], "raw")
    table = folder / "dataset/metadata/train_metadata.csv"
    table.write_text("VolumeName,RescaleSlope,XYSpacing,ZSpacing\n")
    with pytest.raises(InputError) as error:
        survey(folder, tmp_path / "out")
    missing = "RescaleIntercept, ImageOrientationPatient, ImagePositionPatient"
    assert str(error.value) == f"{table}: lacks the columns {missing}: download it again"


def test_a_fixed_tree_goes_before_a_raw_one_and_masks_are_no_scans(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", ["train_1_a_1", "train_1_a_2", "train_2_a_1"], "raw")
    ct_rate(folder, ["train_1_a_2"])
    mask = folder / "dataset/ts_seg/ts_total/train_fixed/train_2/train_2_a/train_2_a_1.nii.gz"
    Volume((body() > 0).astype(np.int16), SPACING_MM, ORIGIN_MM).write(mask)
    assert survey(folder, tmp_path / "out", 0.0) == 0
    found = rows(tmp_path / "out")
    assert set(found) == {"train_1_a_2", "train_2_a_1"}
    assert not found["train_1_a_2"]["header"] and found["train_2_a_1"]["header"]


def test_volumes_without_a_chest_are_left_out_and_are_no_failure(tmp_path: Path) -> None:
    """CT-RATE's own list; of a scan with a chest in another reconstruction that one is taken."""
    folder = ct_rate(tmp_path / "in", VOLUMES)
    (folder / "dataset/metadata").mkdir()
    listed = "dataset/train/train_1/train_1_a/train_1_a_1.nii.gz\ntrain_2_a_1\n\n"
    (folder / "dataset/metadata/no_chest_train.txt").write_text(listed)
    assert survey(folder, tmp_path / "out") == 0
    assert set(rows(tmp_path / "out")) == {"train_1_a_2", "train_1_b_2", "valid_1_a_1"}
    assert reasons(tmp_path / "out") == ["no chest in it, says no_chest_train.txt of CT-RATE"]


def test_only_the_headers_of_the_chosen_reconstructions_are_opened(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", VOLUMES)
    for path in folder.rglob("*.nii.gz"):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if path.name.startswith(("train_1_a_1", "valid")) else data)
    for name in ("train_1_a_2", "train_1_b_10"):
        next(folder.rglob(f"{name}.nii.gz")).write_bytes(b"")
    assert survey(folder, tmp_path / "out") == 0


def test_a_damaged_volume_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", VOLUMES)
    next(folder.rglob("train_2_a_1.nii.gz")).write_bytes(b"<html>")
    assert survey(folder, tmp_path / "out") == 1
    assert reasons(tmp_path / "out") == ["not a NIfTI file"]


def test_volumes_beside_each_other_are_ct_rate_where_that_is_said(tmp_path: Path) -> None:
    """One header of them is blank: without the tree nobody knows which are fixed."""
    for name in ("train_1_a_1", "train_1_a_2"):
        write_raw(tmp_path / f"in/{name}.nii.gz")
    with pytest.raises(InputError, match=r"download dataset/metadata/train_metadata\.csv"):
        survey(tmp_path / "in", tmp_path / "out", preset="ct-rate")
    write_metadata(tmp_path / "in/train_metadata.csv", [metadata_row("train_1_a_1")])
    assert survey(tmp_path / "in", tmp_path / "out", 0.0, preset="ct-rate") == 0
    assert set(rows(tmp_path / "out")) == {"train_1_a_1"}


def test_validation_comes_from_the_patients_that_train(tmp_path: Path) -> None:
    names = [f"train_{k}_{scan}_1" for k in range(1, 11) for scan in "ab"] + ["valid_1_a_1"]
    survey(ct_rate(tmp_path / "in", names), tmp_path / "out", val_fraction=0.2)
    found = read_rows(tmp_path / "out/cohort.tsv")
    assert leaks(found) == []
    assert sorted(row["split"] for row in found) == ["test", *["train"] * 16, *["val"] * 4]


# ---- both, and neither


def test_none_reads_a_data_set_as_any_other_files(tmp_path: Path) -> None:
    folder = ct_rate(tmp_path / "in", ["train_1_a_1", "train_1_a_2"])
    survey(folder, tmp_path / "out", 0.0, preset="none")
    assert {row["patient_from"] for row in rows(tmp_path / "out").values()} == {"file name"}


def test_data_sets_and_one_s_own_scans_lie_together(tmp_path: Path) -> None:
    """Recognised scans as their data set says, all others as ever."""
    luna16(tmp_path / "in/luna", {0: ["LIDC-IDRI-0001"]})
    ct_rate(tmp_path / "in/rate", ["train_1_a_1", "valid_1_a_1"])
    nifti(tmp_path / "in/P1/ct.nii.gz")
    nifti(tmp_path / "in/P2/ct.nii.gz")
    (tmp_path / "in/rate/notes.zip").write_text("no zip")
    assert survey(tmp_path / "in", tmp_path / "out") == 1
    found = {row["patient"]: row for row in rows(tmp_path / "out").values()}
    assert set(found) == {"LIDC-IDRI-0001", "train_1", "valid_1", "P1", "P2"}
    assert (found["train_1"]["split"], found["valid_1"]["split"]) == ("train", "test")
    assert sorted(found[own]["split"] for own in ("LIDC-IDRI-0001", "P1", "P2")) == ["test", "train", "train"]


@pytest.mark.parametrize("preset", sorted(datasets()))
def test_a_folder_that_is_another_is_one_line(tmp_path: Path, preset: str) -> None:
    nifti(tmp_path / "in/P1/ct.nii.gz")
    with pytest.raises(InputError) as error:
        survey(tmp_path / "in", tmp_path / "out", preset=preset)
    one = datasets()[preset]
    assert str(error.value) == f"{tmp_path / 'in'}: no scan of {one.title} in it: it looks like {one.looks}"


def test_a_preset_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--preset luna: auto, luna16, ct-rate or none"):
        survey(tmp_path, tmp_path / "out", preset="luna")


def test_a_blank_header_is_not_taken_for_millimetres_elsewhere(tmp_path: Path) -> None:
    """Of a volume that no data set explains a header of 1 mm voxels means that."""
    stored = np.clip(body(120, 128, 120), -1000, 1000).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(stored.transpose(2, 1, 0), np.eye(4)), tmp_path / "one.nii.gz")
    survey(tmp_path, tmp_path / "out", 0.0)
    assert rows(tmp_path / "out")["one"]["slice_mm"] == "1.000"
