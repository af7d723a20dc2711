"""The compiled ray-caster: made once, found by machines without a compiler, made again when damaged; else one line."""

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from drr import _build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the library."""
    folder = tmp_path_factory.mktemp("compiled")
    done = build(folder)
    if done.returncode:
        pytest.skip(done.stderr)
    return folder


@pytest.fixture
def cache(compiled: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(compiled, tmp_path / "cache"))


def build(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = os.environ | {"DRR_CACHE": str(folder)} | environment
    return subprocess.run([sys.executable, "-m", "drr._build"], cwd=ROOT, env=given, capture_output=True, text=True)


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_it_is_compiled_once_and_found_without_a_compiler(cache: Path) -> None:
    """A second process finds the file of the first, whatever its own compiler is called, or where it has none."""
    path = only(cache)
    before = path.stat().st_mtime_ns
    for environment in ({}, {"CXX": "clang++ -m64"}, {"CXX": "no-compiler", "PATH": "/nonexistent"}):
        done = build(cache, **environment)
        assert done.returncode == 0, done.stderr
        assert only(cache).stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["half", "empty", "one bit", "a folder's worth of zeros"])
def test_a_damaged_file_is_compiled_once_more(damage: str, cache: Path) -> None:
    path = only(cache)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    left = {"half": content[: len(content) // 2], "empty": b"", "one bit": content}
    path.write_bytes(left.get(damage, bytes(len(content))))
    done = build(cache)
    assert done.returncode == 0, done.stderr
    assert only(cache).stem.endswith(_build._hash(only(cache).read_bytes()))


def test_a_file_that_this_machine_cannot_load_is_compiled_once_more(cache: Path) -> None:
    """Whole, but of another kind of machine."""
    path = only(cache)
    path.write_bytes(b"of another machine")
    path = path.rename(path.with_name(f"cpu-{_build._key()}-{_build._hash(path.read_bytes())}.so"))
    assert build(cache, CXX="no-compiler").returncode == 1, "nor compiled"
    for environment in ({}, {"CXX": "no-compiler"}):
        done = build(cache, **environment)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CXX": 'g++ "-O2'}, "CXX 'g++ \"-O2' is no command (No closing quotation): mend it, or unset it"),
        ({"CXX": "no-compiler"}, "no-compiler: No such file or directory: set CXX to a compiler"),
        ({"CXX": "false"}, "false fails (exit code 1)"),
    ],
)
def test_what_cannot_be_compiled_is_one_line(environment: dict[str, str], words: str, tmp_path: Path) -> None:
    done = build(tmp_path, **environment)
    assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_home_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither HOME nor an entry in the table of users, as in a container that runs under a bare number."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DRR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    _build.library.cache_clear()
    assert _build.library() == "this user has no home folder: set DRR_CACHE to a folder"
    _build.library.cache_clear()
