"""Names of patients, scans and files. A patient keeps its name, in any script; a scan's id is safe everywhere."""

from collections import Counter
from collections.abc import Iterable, Sequence
import hashlib
from pathlib import Path
import re
import unicodedata

from drr.volume import SUFFIXES

_LONGEST = 100
# What dcm2niix appends to the name of a volume that it made of another one of the same scan.
_DERIVED = re.compile(r"([_-](tilt|eq|crop|roi)([_-]?\d+)?)+$", re.IGNORECASE)
_BIDS = re.compile(r"(?:^|[/_])(sub-[^/_.]+)")


def written(name: str) -> str:
    """A name as it was written: without control characters, and with single blanks between its words."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def shown(text: object) -> str:
    """Text for a terminal or a table: whatever could steer a terminal or is no Unicode is written as an escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in str(text)
    )


def is_plain(path: Path) -> bool:
    """False for a path that no table in UTF-8 can hold on one line."""
    return str(path).isprintable()


def stem(path: Path) -> str:
    """The name of a file without the suffix of a volume or zip; the whole name of a folder."""
    return _without_suffix(path.name, path.is_dir())


def undivided(name: str) -> str:
    """The name of the scan that a volume was derived from: `ct_Tilt_1` and `ct_Eq_1` are `ct`, in dcm2niix's words."""
    return _DERIVED.sub("", name) or name


def bids_subject(way: str) -> str:
    """`sub-LABEL` of a path in the Brain Imaging Data Structure, the last one in it; empty without one."""
    found = _BIDS.findall(way)
    return found[-1] if found else ""


def scan_names(paths: Iterable[Path], folder: Path, given: Sequence[str] = ()) -> list[str]:
    """A name for every scan, from its file or folder; from the whole way below `folder` where that is not unique.

    given: for each path a name that it has already and keeps, or an empty one.
    """
    paths = list(paths)
    given = given or [""] * len(paths)
    short = [_safe(name or stem(path)) for name, path in zip(given, paths, strict=True)]
    often = Counter(name.lower() for name in short)
    names: list[str] = []
    taken: set[str] = set()
    for path, name, has_name in zip(paths, short, given, strict=True):
        if often[name.lower()] > 1 and path != folder and not has_name:
            name = _safe(_without_suffix(str(path.relative_to(folder)), path.is_dir()))
        number, unique = 1, name
        while unique.lower() in taken:
            number += 1
            unique = f"{name}-{number}"
        names.append(unique)
        taken.add(unique.lower())
    return names


def _without_suffix(name: str, is_folder: bool) -> str:
    suffixes = [] if is_folder else [suffix for suffix in (".zip", *SUFFIXES) if name.lower().endswith(suffix)]
    return name[: -max(map(len, suffixes))] if suffixes else name


def _safe(name: str) -> str:
    """Letters, digits, _ and - alone, for ids become file names and words of a command line.

    Accents are dropped. A name that loses other letters has a checksum at its end, so that no other scan is called the
    same and new files in the folder rename nothing.
    """
    name = unicodedata.normalize("NFC", name)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:_LONGEST]
    if any(letter.isalnum() and not letter.isascii() for letter in plain):
        safe = f"{safe or 'scan'}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
    return safe or "scan"
