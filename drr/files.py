"""Outputs appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import shutil


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to; rename it over `path` on success, delete it on failure.

    The name keeps every suffix (`ct.nii.gz` becomes `.ct.<pid>.nii.gz`), because writers choose the format by it.
    The rename is atomic because both names lie in one folder: a process killed at any point leaves the old file or
    the new one, never a part. The sibling may be a file or a folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, dot, suffixes = path.name.partition(".")
    part = path.parent / f".{stem}.{os.getpid()}{dot}{suffixes}"
    try:
        yield part
        if path.is_dir() and part.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
