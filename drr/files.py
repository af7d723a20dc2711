"""Outputs appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import hashlib
import os
from pathlib import Path
import platform
import re
import shutil
import time

_PART = re.compile(r"\..*\.part-([0-9a-f]{8})-([0-9]+)(\.|\Z)")
_FORGOTTEN_S = 7 * 86400  # an unfinished output of another machine, which cannot be asked, is abandoned after a week


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to; rename it over `path` on success, delete it on failure.

    The name keeps every suffix (`ct.nii.gz` becomes `.ct.part-<machine>-<pid>.nii.gz`), because writers choose the
    format by it. The rename is atomic because both names lie in one folder: a process killed at any point leaves the
    old file or the new one, never a part. The sibling may be a file or a folder. What killed processes have left in
    the folder is deleted first. Errors of the operating system leave with the name of `path`, others with a note of it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    stem, dot, suffixes = path.name.partition(".")
    part = path.parent / f".{stem}.part-{_machine()}-{os.getpid()}{dot}{suffixes}"
    try:
        yield part
        if path.is_dir() and part.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        if error.errno is None:  # of NumPy, which says in words what was not written
            error.add_note(str(path))
        elif error.filename is None or str(error.filename) == str(part):
            error.filename = str(path)
        raise
    except (MemoryError, RuntimeError) as error:
        error.add_note(str(path))
        raise
    finally:
        _remove(part)


def sweep(folder: Path) -> None:
    """Delete the unfinished outputs in a folder whose processes are dead; what cannot be deleted stays."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if (match := _PART.match(name)) and _is_left(folder / name, match[1], int(match[2])):
                _remove(folder / name)


def _is_left(part: Path, machine: str, process: int) -> bool:
    """True for a part that nobody will finish: its process is dead or, on another machine, has been silent for long."""
    if machine != _machine():
        try:
            return time.time() - part.stat().st_mtime > _FORGOTTEN_S
        except OSError:
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's process
        return False
    return False


def _machine() -> str:
    """Eight digits for this machine and its name space of processes: elsewhere the same number is another process."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _remove(part: Path) -> None:
    with suppress(OSError):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
