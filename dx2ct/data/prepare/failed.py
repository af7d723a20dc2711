"""The record of a scan that could not be read: the next run of the workflow goes on without it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import json
from pathlib import Path

from drr.border import short_of_memory
from drr.errors import InputError
from drr.files import replacing


@contextmanager
def recorded(record: Path | None, source: Path, settings: str, series_uid: str, header: str = "") -> Iterator[None]:
    """Write `record` when the block raises InputError, delete it when the block succeeds; None: neither.

    The first line is the reason, the second what was tried, as JSON (`reason_of`).
    """
    tried = what_is_tried(settings, series_uid, header) | {"stamp": stamp(source)}
    try:
        yield
    except InputError as error:
        if record and not _may_pass(error):
            reason = " ".join(str(error).split())
            with replacing(record) as part:
                part.write_text(f"{reason}\n{json.dumps(tried, sort_keys=True)}\n", encoding="utf-8")
        raise
    if record:
        record.unlink(missing_ok=True)


def what_is_tried(settings: str, series_uid: str, header: str) -> dict[str, object]:
    """What else than the source decides whether a scan can be read: settings and header are JSON."""
    tried: dict[str, object] = {"settings": json.loads(settings), "series_uid": series_uid}
    return tried | ({"header": header} if header else {})


def _may_pass(error: BaseException) -> bool:
    """True when the machine refused (no permission, a network disk that is away, no memory): try again next time."""
    cause = error.__context__
    return cause is not None and (isinstance(cause, OSError) or short_of_memory(cause) or _may_pass(cause))


def stamp(source: Path) -> list[int]:
    """Bytes and newest modification time in ns of a file, or of all files in a folder."""
    files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
    stats = [file.stat() for file in files]
    return [sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)]


def reason_of(record: Path, source: Path, tried: Mapping[str, object]) -> str | None:
    """Why a scan could not be read; None without a record, and where something else would be tried now.

    tried: as of `what_is_tried`. A repaired source, another series or other settings are a new attempt.
    """
    if not record.is_file():
        return None
    reason, _, before = record.read_text(encoding="utf-8").partition("\n")
    try:
        return reason if json.loads(before) == {**tried, "stamp": stamp(source)} else None
    except ValueError:  # a damaged record says nothing: try the scan again
        return None
