"""The half-fetched series: a hidden folder beside the target, of which only verified files outlive the process.

data/raw/.SCAN.download/
    lock               held while a process works here
    series.json        what the files belong to; files of anything else are thrown away
    KEY-MD5.dcm        verified files: hash of the name at the source, MD5 of the content
    archive.zip        a verified NBIA zip
    *.part             being written; thrown away at the start
"""

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack, suppress
import fcntl
import hashlib
import json
import os
from pathlib import Path
import re
import shutil
from typing import IO

from drr.ct.sources import note
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.verify import md5_of

_LOCK, _OWNER, _ARCHIVE = "lock", "series.json", "archive.zip"
_STAGED = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32})\.dcm")


class Staging:
    """A staging folder that is locked and belongs to one series."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def archive(self) -> Path:
        """Where a verified NBIA zip lies, if there is one."""
        return self.folder / _ARCHIVE

    @property
    def is_empty(self) -> bool:
        """True when nothing verified is here."""
        return self.size == 0

    @property
    def size(self) -> int:
        """Bytes of all verified files."""
        verified = [path for path in self.folder.iterdir() if path.name == _ARCHIVE or _STAGED.fullmatch(path.name)]
        return sum(path.stat().st_size for path in verified)

    def part(self, name: str) -> Path:
        """A name for a file that is being written."""
        return self.folder / f"{name}.part"

    def keep(self, key: str, content: bytes) -> None:
        """Stage a verified file, whole or not at all."""
        part = self.part("file")
        part.write_bytes(content)
        os.replace(part, self.folder / f"{_hash(key)}-{md5_of(content)}.dcm")

    def load(self, key: str) -> bytes | None:
        """The staged file of this key; None, and gone, when its content is not what it was (a crash of the machine)."""
        for path in self.folder.glob(f"{_hash(key)}-*.dcm"):
            content = path.read_bytes()
            if (match := _STAGED.fullmatch(path.name)) and md5_of(content) == match[2]:
                return content
            path.unlink()
        return None

    def keep_only(self, keys: list[str]) -> None:
        """Throw staged files of other keys away: the folder never outgrows one series."""
        hashes = {_hash(key) for key in keys}
        for path in self.folder.iterdir():
            if (match := _STAGED.fullmatch(path.name)) and match[1] not in hashes:
                path.unlink()

    def tidy(self) -> None:
        """Remove what is not verified."""
        for path in self.folder.iterdir():
            if path.name not in (_LOCK, _OWNER, _ARCHIVE) and not _STAGED.fullmatch(path.name):
                _remove(path)

    def empty(self) -> None:
        """Remove all but the lock."""
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                _remove(path)

    def remove(self) -> None:
        """Remove the folder. A process that waits for the lock notices, and makes a new one."""
        self.empty()
        with suppress(OSError):  # someone has just made a new lock in it
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()

    def claim(self, series: Series) -> None:
        """Throw everything away that belongs to another series, or to another version of this one."""
        owner = {"series_uid": series.uid, "images": series.images, "size": series.size, "idc_uuid": series.idc_uuid}
        record = self.folder / _OWNER
        try:
            same = json.loads(record.read_text(encoding="utf-8")) == owner
        except (OSError, ValueError):
            same = False
        if not same:
            self.empty()
            record.write_text(json.dumps(owner) + "\n", encoding="utf-8")
        self.tidy()


@contextmanager
def staging_for(output: Path, series: Series) -> Iterator[Staging]:
    """The locked staging folder of a target; waits while another process, perhaps an orphan, works in it."""
    folder = output.parent / f".{output.stem}.download"
    with _locked(folder):
        staging = Staging(folder)
        try:
            staging.claim(series)
            yield staging
        finally:
            if staging.is_empty:
                staging.remove()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    while (lock := _lock(folder)) is None:
        pass
    with lock:
        yield


def _lock(folder: Path) -> IO[str] | None:
    """The lock, held until it is closed; None when whoever held it before has removed the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, suppress(FileNotFoundError):
        lock = stack.enter_context((folder / _LOCK).open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"{folder}: another process fetches this series: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_ino == (folder / _LOCK).stat().st_ino:
            stack.pop_all()
            return lock
    return None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
