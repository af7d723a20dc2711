"""One file must never end the survey of all: hostile names and files, readers that die, what is no CT."""

import os
from pathlib import Path
import shutil
import time

import numpy as np
import pytest

from dx2ct.data.cohort.places import Found, Scan, scans_at
from dx2ct.data.cohort.selection import read_rows
from tests.drr.series import body
from tests.dx2ct.data.test_cohort import left_out, write
from tests.dx2ct.data.test_patients import nifti, patients, series


def test_hostile_names_and_files_end_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    good = nifti(folder / "good.nii.gz", body(13))
    for name in (b"\xff\xfe.nii.gz", b"esc\x1b[31mred.nii.gz", b"two\nlines.nii.gz"):
        shutil.copy(good, os.fsdecode(os.path.join(os.fsencode(folder), name)))
    series(tmp_path / "dcm", patient="D\x1b[2J")
    shutil.copytree(tmp_path / "dcm", folder / os.fsdecode(b"folder\xff"))
    shutil.copytree(tmp_path / "dcm", folder / "D")
    os.mkfifo(folder / "pipe.nii.gz")
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "D/pipe.dcm")
    (folder / "gone.nii").symlink_to("nowhere")
    (folder / "pair.hdr").write_bytes(bytes(348))
    (folder / "pair.img").write_bytes(bytes(1000))
    (folder / "alone.img").write_bytes(bytes(1000))
    (folder / "scans.tar.gz").write_bytes(b"\x1f\x8b")
    assert write(folder, tmp_path / "out") == 9
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err + (tmp_path / "out/cohort.tsv").read_text()
    reasons = left_out(tmp_path / "out")
    assert reasons.pop("pair.hdr")
    assert {name: reason.split(":")[0] for name, reason in reasons.items()} == {
        r"\udcff\udcfe.nii.gz": "its name is no text in UTF-8, or holds control characters",
        r"esc\x1b[31mred.nii.gz": "its name is no text in UTF-8, or holds control characters",
        r"two\nlines.nii.gz": "its name is no text in UTF-8, or holds control characters",
        r"folder\udcff": "its name is no text in UTF-8, or holds control characters",
        "pipe.nii.gz": "a pipe, socket or device, no file",
        "gone.nii": "a link to nothing",
        "alone.img": "an .img without the .hdr that belongs to it",
        "scans.tar.gz": "an archive that is not read",
    }
    assert {row["patient"] for row in read_rows(tmp_path / "out/cohort.tsv")} == {"good", "D [2J"}


def test_a_reader_that_dies_or_fails_takes_one_file_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dx2ct.data.cohort import apart, places

    ours = places._volume_at

    def read(path: Path) -> Found:
        if path.name.startswith("kills"):
            os.abort()
        if path.name.startswith("hangs"):
            time.sleep(600)
        if path.name.startswith("fails"):
            raise RuntimeError("a defect")
        return ours(path)

    monkeypatch.setattr(places, "_volume_at", read)
    monkeypatch.setattr(apart, "PATIENCE_S", 5)
    for name in ("a", "kills", "kills-again", "m", "fails", "hangs", "z"):
        nifti(tmp_path / f"in/{name}.nii.gz")
    assert write(tmp_path / "in", tmp_path / "out") == 4
    assert {row["scan"] for row in read_rows(tmp_path / "out/cohort.tsv")} == {"a", "m", "z"}
    reasons = left_out(tmp_path / "out")
    assert reasons["fails.nii.gz"] == "cannot be read (RuntimeError: a defect)"
    assert reasons["kills.nii.gz"].startswith("reading it ended the reading process")
    assert reasons["hangs.nii.gz"].startswith("it was not read within 5 s")


@pytest.mark.parametrize("background", [-1000, -1024])
@pytest.mark.parametrize("labels", [1, 5, 117])
def test_a_mask_beside_a_ct_is_no_ct(tmp_path: Path, background: int, labels: int) -> None:
    for patient in ("s1", "s2"):
        nifti(tmp_path / f"in/{patient}/ct.nii.gz")
        mask = np.full((12, 16, 20), background, np.int16)
        mask[2:-2] = np.arange(8 * 16 * 20).reshape(8, 16, 20) % labels + 1
        nifti(tmp_path / f"in/{patient}/organs.nii.gz", mask)
    assert patients(tmp_path / "in", tmp_path / "out") == {"s1-ct": "s1", "s2-ct": "s2"}
    (reason,) = left_out(tmp_path / "out").values()
    assert "no value between air and water, labels alone: a mask, no CT" in reason or "are not HU" in reason


def test_a_phantom_of_three_values_is_a_ct(tmp_path: Path) -> None:
    hu = np.full((12, 16, 20), -1024, np.int16)
    hu[:, 2:-2, 2:-2], hu[3:-3, 5:9, 5:9] = 40, -850
    assert isinstance(next(iter(scans_at(nifti(tmp_path / "phantom.nii.gz", hu)))), Scan)
