"""Kind local: a folder that holds the collection already, matched by the UIDs in the headers.

Three layouts of LIDC-IDRI are in use, and folders of each have been renamed by hand: no name says anything. Headers are
read once: an index of which folder holds files of which series is kept beside the targets, and a folder is read again
when its modification time changes.
"""

from collections.abc import Iterator
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import TypedDict
import warnings

from drr.ct.sources import MAX_FILE_BYTES
from drr.files import replacing
from dx2ct.config import LocalSource
from dx2ct.data.sources.lidc.errors import SourceError
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.verify import Part, read_header, require_series, verified


class Folder(TypedDict):
    """One folder of the index: its modification time, its sub-folders, its DICOM files by SeriesInstanceUID.

    others: the sizes of all other files; one that has grown since may have become DICOM.
    """

    mtime_ns: int
    folders: list[str]
    series: dict[str, list[str]]
    others: dict[str, int]


Index = dict[str, Folder]


def gather(source: LocalSource, series: Series, indexes: Path) -> list[Part]:
    """Every file of the series in the tree; equal copies count once.

    indexes: the folder where the index of the tree is kept.
    """
    root = Path(source.path).resolve()
    if not root.is_dir():
        raise SourceError("is no folder")
    record = indexes / f".local-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
    index = _index(root, record)
    paths = [Path(folder) / name for folder, one in index.items() for name in one["series"].get(series.uid, ())]
    if not paths:
        raise SourceError("holds no file of this series")
    try:
        return _parts(sorted(paths), series)
    except OSError as error:
        raise SourceError(f"cannot be read ({error})") from None


def _index(root: Path, record: Path) -> Index:
    with record.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process reads the headers, the others wait for its index
        known = _load(record)
        try:
            index = dict(_folders(root, known))
        except OSError as error:
            raise SourceError(f"cannot be read ({error})") from None
        if index != known:
            with replacing(record) as part:
                part.write_text(json.dumps(index), encoding="utf-8")
    return index


def _parts(paths: list[Path], series: Series) -> list[Part]:
    found: dict[str, Part] = {}
    for path in paths:
        _require_size(path)
        part = verified(path.read_bytes(), series, str(path), None, path.read_bytes)
        other = found.setdefault(part.sop_uid, part)
        if other.md5 != part.md5:
            raise SourceError(f"{other.origin} and {part.origin} differ, and have one SOPInstanceUID")
    require_series(found.values(), series)
    return list(found.values())


def _require_size(path: Path) -> None:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise SourceError(f"{path} has more than {MAX_FILE_BYTES} bytes")


def _load(record: Path) -> Index:
    try:
        index: Index = json.loads(record.read_text(encoding="utf-8"))
        return index
    except (OSError, ValueError):
        return {}


def _folders(root: Path, known: Index) -> Iterator[tuple[str, Folder]]:
    """Every folder of the tree with what is in it; links to folders are followed once."""
    waiting, seen = [str(root)], set[tuple[int, int]]()
    while waiting:
        path = waiting.pop()
        state = os.stat(path)
        if (state.st_dev, state.st_ino) in seen:
            continue
        seen.add((state.st_dev, state.st_ino))
        folder = known.get(path)
        if folder is None or not _is_current(path, folder, state.st_mtime_ns):
            folder = _read(path, state.st_mtime_ns)
        yield path, folder
        waiting += [os.path.join(path, name) for name in folder["folders"]]


def _is_current(path: str, folder: Folder, mtime_ns: int) -> bool:
    same = (os.path.getsize(os.path.join(path, name)) == size for name, size in folder["others"].items())
    return folder["mtime_ns"] == mtime_ns and all(same)


def _read(path: str, mtime_ns: int) -> Folder:
    folder: Folder = {"mtime_ns": mtime_ns, "folders": [], "series": {}, "others": {}}
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                folder["folders"].append(entry.name)
            elif entry.is_file() and (uid := _series_uid(entry.path)):
                folder["series"].setdefault(uid, []).append(entry.name)
            elif entry.is_file():
                folder["others"][entry.name] = entry.stat().st_size
    return folder


def _series_uid(path: str) -> str | None:
    """None for what is no readable DICOM file: a LICENSE, annotations in XML."""
    try:
        with open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(read_header(stream, ["SeriesInstanceUID"]).get("SeriesInstanceUID", "")) or None
    except Exception:  # pydicom meets malformed bytes with a dozen exception types, none of its own
        return None
