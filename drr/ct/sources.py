"""What a path is, and the files inside a folder or a zip. Zips are read in memory, never extracted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
import re
import stat
from typing import IO, Literal
import zipfile

from drr.ct.dicom_mark import dicom_start, HEAD_BYTES
from drr.ct.limits import SUFFIXES
from drr.errors import InputError
from drr.progress import say

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
Kind = Literal["folder", "zip", "volume", "picture", "dicom", "other"]

# A CT series is at most a few thousand files of half a megabyte, or one multi-frame file of all of them; what goes far
# beyond is a bomb or a mistake.
MAX_FILES = 20_000
MAX_FILE_BYTES = 2**30
MAX_ZIP_BYTES = 2**34
# Deflate packs constant bytes 1:1030 and CT slices 1:2; small zips may be as smooth as they like.
MAX_RATIO = 20
RATIO_COUNTS_ABOVE_BYTES = 2**29
# zipfile makes an object for every entry of the directory before anybody can count them: 20,000 need 2 to 4 MB.
MAX_DIRECTORY_BYTES = 2**23


@dataclass(frozen=True, eq=False)
class Member:
    """One file of a folder or zip: its name there, its size in bytes, and how to open it as a seekable stream."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]

    @property
    def hidden(self) -> bool:
        """True for .DS_Store, ._0001.dcm and whatever else file managers leave behind."""
        return self.name.rpartition("/")[2].startswith(".")


def note(text: str) -> None:
    """Tell the user something that is no error: one line on stderr, whatever the names in it consist of."""
    shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    say(f"note: {shown}")


def kind_of(path: Path) -> Kind:
    """What a path is, by its name where that is a promise, by its first bytes otherwise."""
    name = path.name.lower()
    if path.is_dir():
        return "folder"
    if path.exists() and not path.is_file():
        return "other"  # a pipe or a device: whoever opens it may wait for ever
    if name.endswith(".zip"):
        return "zip"
    if name.endswith(SUFFIXES):
        return "volume"
    if name.endswith(PICTURE_SUFFIXES):
        return "picture"
    return "dicom" if name.endswith(DICOM_SUFFIXES) or _is_dicom(path) else "other"


@contextmanager
def members(path: Path, *, below: bool) -> Iterator[list[Member]]:
    """The visible files of a folder, of a zip, or the single file itself, sorted by name.

    below: a folder without any DICOM file directly in it gives the files of its sub-folders instead.
    An InputError raised while they are in use gets the path in front, so that nobody else has to know it.
    """
    try:
        if path.is_dir():
            yield _not_empty(_folder_members(path, below))
        elif kind_of(path) == "zip":
            with _open_zip(path) as archive:
                yield _not_empty(_zip_members(archive))
        else:
            yield [Member(path.name, path.stat().st_size, lambda: path.open("rb"))]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _not_empty(found: list[Member]) -> list[Member]:
    if not found:
        raise InputError("empty, no file in it")
    return found


def folders_below(folder: Path) -> dict[Path, list[Member]]:
    """The visible files of every folder below this one, sorted by name; without this one's own."""
    files = _as_members(folder, sorted(file for file in folder.rglob("*") if file.is_file() and file.parent != folder))
    found: dict[Path, list[Member]] = {}
    for member in files:
        found.setdefault((folder / member.name).parent, []).append(member)
    return found


def _folder_members(folder: Path, below: bool) -> list[Member]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if below and not any(kind_of(file) == "dicom" for file in files):
        files = sorted(file for file in folder.rglob("*") if file.is_file())
    return _as_members(folder, files)


def _as_members(folder: Path, files: list[Path]) -> list[Member]:
    found = [Member(str(file.relative_to(folder)), file.stat().st_size, _opener(file)) for file in files]
    return [member for member in found if not member.hidden]


def _opener(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return dicom_start(stream.read(HEAD_BYTES)) is not None
    except OSError:
        return False


class _ZipStream(BufferedReader):
    """A zip file whose directory is read in one piece, by zipfile's constructor, or not at all."""

    opening = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self.opening and size is not None and size > MAX_DIRECTORY_BYTES:
            raise InputError(f"the directory of the zip has {size} bytes, more than that of any CT: not read")
        return super().read(size)


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    with _ZipStream(FileIO(path)) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise InputError(f"not a readable zip ({error}): fetch it again") from None
        stream.opening = False
        with archive:
            yield archive


def _zip_members(archive: zipfile.ZipFile) -> list[Member]:
    entries = archive.infolist()
    for entry in entries:
        _refuse_unsafe(entry)
    _refuse_bomb(entries)
    if len({entry.filename for entry in entries}) != len(entries):
        raise InputError("the zip holds two entries of one name: pack it again")
    files = sorted((entry for entry in entries if not entry.is_dir()), key=lambda entry: entry.filename)
    found = [Member(entry.filename, entry.file_size, _entry_opener(archive, entry)) for entry in files]
    return [member for member in found if not member.hidden]


def _entry_opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(entry)


def _refuse_unsafe(entry: zipfile.ZipInfo) -> None:
    """Nothing is ever extracted, yet a zip that tries to leave its folder is not a zip to read on."""
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
        raise InputError(f"the zip holds a path outside itself, {entry.filename!r}: not read")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(f"the zip holds a link, {entry.filename!r}: not read")
    if entry.flag_bits & 0x1:
        raise InputError("the zip is locked with a password: unpack it first")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"the zip packs {entry.filename!r} in a way other than deflate: pack it again")


def _refuse_bomb(entries: list[zipfile.ZipInfo]) -> None:
    """Cap what a zip may unpack to; zipfile itself never hands out more bytes than an entry declares."""
    if len(entries) > MAX_FILES:
        raise InputError(f"the zip holds {len(entries)} entries, more than {MAX_FILES}: not read")
    for entry in entries:
        if entry.file_size > MAX_FILE_BYTES:
            raise InputError(f"the zip holds {entry.filename!r} of {entry.file_size} bytes, too large for a CT")
    total, packed = (sum(getattr(entry, size) for entry in entries) for size in ("file_size", "compress_size"))
    if total > MAX_ZIP_BYTES or (total > RATIO_COUNTS_ABOVE_BYTES and total > MAX_RATIO * packed):
        raise InputError(f"the zip unpacks from {packed} to {total} bytes: not read")
