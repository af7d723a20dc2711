"""Outputs appear whole or not at all, and what killed processes have left is swept."""

import os
from pathlib import Path
import subprocess
import sys
import time

import pytest

from drr import files
from drr.files import replacing, sweep


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def left_behind(target: Path, kind: str = "file") -> Path:
    """What a process that is killed while it writes leaves: its part of `target`."""
    write = "part.mkdir(); (part / 'inside').write_text('x')" if kind == "folder" else "part.write_text('half')"
    code = f"import os\nfrom drr.files import replacing\nwith replacing({str(target)!r}) as part:\n"
    code += f"    {write}\n    print(part, flush=True)\n    os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    return Path(done.stdout.strip())


def test_the_written_file_itself_becomes_the_target(tmp_path: Path) -> None:
    """A rename, not a copy: a reader sees the old file or the new one, never a part of it."""
    target = tmp_path / "ct.nii.gz"
    target.write_text("old")
    with replacing(target) as part:
        part.write_text("new")
        written = part.stat().st_ino
        assert part.name.endswith(".nii.gz") and part.parent == target.parent
        assert target.read_text() == "old"
    with target.open() as new:
        assert os.fstat(new.fileno()).st_ino == written and new.read() == "new"
    assert parts(tmp_path) == []


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    with replacing(tmp_path / "out") as part:
        part.mkdir()
        (part / "new").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_leaves_the_old_file_and_no_part(kind: str, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(KeyError), replacing(tmp_path / "out.csv") as part:
        part.mkdir() if kind == "folder" else part.write_text("half")
        raise KeyError
    assert (tmp_path / "out.csv").read_text() == "old" and parts(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_goes_when_anything_is_written_beside_it(kind: str, tmp_path: Path) -> None:
    part = left_behind(tmp_path / "scan-1.mha", kind)
    assert part.exists()
    with replacing(tmp_path / "scan-2.mha") as other:
        other.touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan-2.mha"]


def test_what_somebody_still_writes_stays(tmp_path: Path) -> None:
    """Of this process, of another living one, of another machine, and what only looks like a part."""
    part = left_behind(tmp_path / "gone.mha")
    machine = files._machine()
    kept = [f".a.part-{machine}-{os.getpid()}.mha", f".b.part-{machine}-{os.getppid()}.mha", ".c.part-0123abcd-1.mha"]
    kept += [".hidden.mha", ".d.part-x-1.mha", "e.part-0123abcd-1.mha", f".f.part-{machine}-{10**30}.mha"]
    for name in kept:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert not part.exists() and sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_part_of_another_machine_is_abandoned_after_a_week(tmp_path: Path) -> None:
    for name, days in (("young", 6), ("old", 8)):
        path = tmp_path / f".{name}.part-0123abcd-1.mha"
        path.touch()
        os.utime(path, (time.time() - days * 86400,) * 2)
    sweep(tmp_path)
    assert parts(tmp_path) == [".young.part-0123abcd-1.mha"]


def test_an_error_names_the_target_and_not_the_part(tmp_path: Path) -> None:
    with pytest.raises(OSError) as nameless, replacing(tmp_path / "a.mha"):
        raise OSError(28, "No space left on device")
    assert nameless.value.filename == str(tmp_path / "a.mha")
    with pytest.raises(OSError) as of_the_part, replacing(tmp_path / "b.mha") as part:
        part.read_bytes()
    assert of_the_part.value.filename == str(tmp_path / "b.mha")
    with pytest.raises(OSError) as of_another, replacing(tmp_path / "c.mha"):
        (tmp_path / "input").read_bytes()
    assert of_another.value.filename == str(tmp_path / "input")
    with pytest.raises(RuntimeError) as noted, replacing(tmp_path / "d.mha"):
        raise RuntimeError("ITK")
    assert noted.value.__notes__ == [str(tmp_path / "d.mha")]
