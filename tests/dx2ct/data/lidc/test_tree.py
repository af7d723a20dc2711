"""A local tree, however it is laid out: only the UIDs in the headers count."""

from collections.abc import Callable
import os
from pathlib import Path
import shutil

import pytest

from dx2ct.data.sources.lidc import tree
from tests.dx2ct.data.lidc.archive import Served
from tests.dx2ct.data.lidc.harness import call, manifest, Outcome, source, synthetic


def old(root: Path, series: Served) -> None:
    """LIDC-IDRI/PATIENT/STUDY/SERIES/000001.dcm"""
    put(root / "LIDC-IDRI/LIDC-IDRI-0001/1.2.3/1.2.3.4", [f"{i:06}.dcm" for i in range(len(series.files))], series)


def descriptive(root: Path, series: Served) -> None:
    """As the NBIA Data Retriever writes it, in the dated folder of one run."""
    folder = root / "manifest-1600709154662/LIDC-IDRI/LIDC-IDRI-0001/01-01-2000-NA-NA-30178/3000566.000000-NA-03192"
    put(folder, [f"1-{i:03}.dcm" for i in range(len(series.files))], series)
    (folder / "069.xml").write_text("<LidcReadMessage/>")
    (root / "manifest-1600709154662/LICENSE").write_text("CC BY 3.0")


def idc(root: Path, series: Served) -> None:
    """As idc-index writes it: UUIDs as file names."""
    put(root / "lidc_idri/LIDC-IDRI-0001/1.2.3/CT_1.2.3.4", list(series.files), series)


def nameless(root: Path, series: Served) -> None:
    """Two folders, no endings, hidden names."""
    put(root / "a", [f".{i}" for i in range(len(series.files))], series)
    os.rename(root / "a/.0", root / "IM0")


def put(folder: Path, names: list[str], series: Served) -> None:
    folder.mkdir(parents=True)
    for name, content in zip(names, series.files.values(), strict=True):
        (folder / name).write_bytes(content)


@pytest.fixture
def get(series: Served, tmp_path: Path) -> Callable[[], Outcome]:
    """Fetch the series from tmp_path/tree."""
    table = manifest(tmp_path / "manifest.tsv", series)
    return lambda: call(series, table, tmp_path / "raw/scan.zip", [source("local", str(tmp_path / "tree"))])


@pytest.mark.parametrize("layout", [old, descriptive, idc, nameless])
def test_every_layout_gives_the_same_zip(
    layout: Callable[[Path, Served], None],
    series: Served,
    series_folder: Path,
    tmp_path: Path,
    get: Callable[[], Outcome],
) -> None:
    layout(tmp_path / "tree", series)
    old(tmp_path / "tree/other", synthetic(tmp_path / "others", name="b"))
    outcome = get()
    assert outcome.code == 0, outcome.stderr
    sources = [source("local", str(series_folder))]
    again = call(series, tmp_path / "manifest.tsv", tmp_path / "again/scan.zip", sources)
    assert outcome.output.read_bytes() == again.output.read_bytes()
    assert not outcome.receipt["md5_stated_by_source"]


def test_two_series_in_one_folder_are_told_apart(series: Served, tmp_path: Path, get: Callable[[], Outcome]) -> None:
    put(tmp_path / "tree", [f"{i}" for i in range(len(series.files))], series)
    for name, content in synthetic(tmp_path / "others", name="b").files.items():
        (tmp_path / "tree" / name).write_bytes(content)
    assert get().receipt["files"] == len(series.files)


def test_copies_count_once_and_must_be_equal(series: Served, tmp_path: Path, get: Callable[[], Outcome]) -> None:
    old(tmp_path / "tree", series)
    idc(tmp_path / "tree", series)
    outcome = get()
    assert outcome.code == 0, outcome.stderr
    copy = next((tmp_path / "tree/lidc_idri").rglob("*.dcm"))
    copy.write_bytes(copy.read_bytes()[:-2] + b"!!")
    outcome.output.unlink()
    assert "differ, and have one SOPInstanceUID" in get().error


@pytest.mark.parametrize(
    ("harm", "needs"),
    [
        (lambda file: file.unlink(), "5 DICOM files where the manifest has 6"),
        (lambda file: file.write_bytes(file.read_bytes()[:-10]), "cut short"),
        (lambda file: file.write_bytes(b"nothing"), "5 DICOM files"),
        (lambda file: shutil.copy(file.parent / "000001.dcm", file), "5 DICOM files"),
    ],
)
def test_a_bad_tree_gives_nothing(
    harm: Callable[[Path], None], needs: str, series: Served, tmp_path: Path, get: Callable[[], Outcome]
) -> None:
    old(tmp_path / "tree", series)
    harm(next((tmp_path / "tree").rglob("000000.dcm")))
    outcome = get()
    assert outcome.code == 1
    assert needs in outcome.error
    assert [name for name in outcome.files if not name.startswith(".local-")] == []


def test_a_missing_tree_is_one_line(series: Served, get: Callable[[], Outcome]) -> None:
    outcome = get()
    assert (outcome.code, "is no folder" in outcome.error) == (1, True)


def test_headers_are_read_once(
    series: Served, tmp_path: Path, get: Callable[[], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection has 244,000 files: a series must not cost that many headers."""
    read = list[str]()
    true = tree._series_uid
    monkeypatch.setattr(tree, "_series_uid", lambda path: read.append(path) or true(path))
    old(tmp_path / "tree", series)
    (tmp_path / "tree/growing.dcm").write_bytes(b"")
    assert get().code == 0
    assert len(read) == len(series.files) + 1
    get().output.unlink()
    assert get().code == 0
    assert len(read) == len(series.files) + 1, "read again, though nothing has changed"
    idc(tmp_path / "tree", synthetic(tmp_path / "others", name="b"))
    (tmp_path / "tree/growing.dcm").write_bytes(b"more")  # the folder's time stays as it was
    get().output.unlink()
    assert get().code == 0
    assert len(read) == 2 * len(series.files) + 2, "only new folders, and those with files that have grown"


def test_links_in_a_circle_end(series: Served, tmp_path: Path, get: Callable[[], Outcome]) -> None:
    old(tmp_path / "tree", series)
    (tmp_path / "tree/LIDC-IDRI/again").symlink_to(tmp_path / "tree")
    assert get().code == 0
