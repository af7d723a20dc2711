"""The zip on its way to the disk: synchronised, read back, and in place before its receipt."""

import hashlib
import os
from pathlib import Path
import zipfile

import pytest

from drr.errors import InputError
from dx2ct.data.sources.lidc import pack
from dx2ct.data.sources.lidc.pack import deliver
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.staging import staging_for
from dx2ct.data.sources.lidc.verify import Part

SERIES = Series("1.2.3", 1, None, "")


def part(content: bytes = b"an image") -> Part:
    found = object.__new__(Part)
    values = {"instance": 1, "sop_uid": "1.2", "origin": "a.dcm", "md5": hashlib.md5(content).hexdigest()}
    values |= {"size": len(content), "md5_stated": True, "read": lambda: content}
    for name, value in values.items():
        object.__setattr__(found, name, value)
    return found


def test_zip_and_receipt_are_synchronised_before_they_get_their_names_and_the_zip_is_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that loses its power leaves no name without content, and no receipt without its zip."""
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(number: int) -> None:
        fsync(number)
        done.append(("fsync", Path(os.readlink(f"/proc/self/fd/{number}")).name))

    def noted_replace(old: Path, new: Path) -> None:
        replace(old, new)
        done.append(("replace", Path(new).name))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    output = tmp_path / "raw/scan.zip"
    with staging_for(output, SERIES) as staging:
        done.clear()
        deliver([part()], SERIES, {}, staging, output)
    assert done == [
        ("fsync", "series.part"),
        ("fsync", "receipt.part"),
        ("replace", "scan.zip"),
        ("replace", "scan.receipt.json"),
        ("fsync", "raw"),
    ]


def test_a_zip_that_changed_on_the_way_to_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk, or memory, that turns bits: the zip's own checksum was made of what was in memory, and may be right."""

    def other(parts: dict[str, Part], path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in parts:
                archive.writestr(name, b"another image")

    monkeypatch.setattr(pack, "_write_zip", other)
    output = tmp_path / "raw/scan.zip"
    with (
        pytest.raises(InputError, match=r"a\.dcm has changed on the way to the disk"),
        staging_for(output, SERIES) as staging,
    ):
        deliver([part()], SERIES, {}, staging, output)
    assert not list(output.parent.glob("scan*"))
