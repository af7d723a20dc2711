"""Kind nbia: The Cancer Imaging Archive's REST API, version 4: one zip a series, streamed, with a table of MD5s.

The server closes the zip properly when something fails half-way (CBIIT/NBIA-TCIA, V4_getImage.java): status 200 and a
valid zip say nothing, and a zip without the table of MD5s has failed. There is no resume within the stream.
"""

import csv
import os
from pathlib import Path
import re
import stat
import struct
import zipfile
import zlib

from dx2ct.config import DownloadSettings, RemoteSource
from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.http import Http
from dx2ct.data.sources.lidc.patience import patiently
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.staging import Staging
from dx2ct.data.sources.lidc.verify import Part, require_series, verified

_DICOM = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\.dcm\Z")
_MD5S, _LICENSE = "md5hashes.csv", "LICENSE"
_EXTRA_ENTRIES = 2
_MOST_TEXT_BYTES, _ENTRY_BYTES = 2**20, 2**9
_END = struct.Struct("<4s4H2LH")  # of the central directory, APPNOTE.TXT 4.3.16
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, struct.error, csv.Error),
    *(NotImplementedError, RuntimeError, ValueError, ArithmeticError, LookupError),
)


def gather(
    source: RemoteSource, series: Series, settings: DownloadSettings, http: Http, staging: Staging
) -> list[Part]:
    """Every file of the series, verified, inside the staged zip."""
    if staging.archive.exists():
        try:
            parts = read_archive(staging.archive, series)
        except SourceError:
            staging.archive.unlink()
        else:
            http.skip(staging.archive.stat().st_size)
            return parts
    return patiently(settings, lambda: _fetch(source.url, series, http, staging))


def _fetch(url: str, series: Series, http: Http, staging: Staging) -> list[Part]:
    part = staging.part("archive")
    params = {"SeriesInstanceUID": series.uid, "IncludeMD5": "Yes"}
    with part.open("wb") as file:
        http.stream(f"{url.rstrip('/')}/getImage", params, series.most_bytes, file.write)
    read_archive(part, series)
    os.replace(part, staging.archive)
    return read_archive(staging.archive, series)


def read_archive(path: Path, series: Series) -> list[Part]:
    """Verify a zip by the manifest and by its own table; nothing is extracted.

    Raises SourceError for a zip that is made to harm, PassingError for one that is damaged or short.
    """
    _require_small_directory(path, series)
    try:
        with zipfile.ZipFile(path) as archive:
            names = _dicom_names(archive, series)
            md5s = _md5s(archive, names)
            parts = [_part(path, archive.read(name), series, name, md5s[name]) for name in names]
    except _DAMAGED as error:
        raise PassingError(f"the zip is damaged ({str(error)[:80]})") from None
    require_series(parts, series)
    return parts


def _part(path: Path, content: bytes, series: Series, name: str, md5: str) -> Part:
    def read() -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)

    return verified(content, series, name, md5, read)


def _require_small_directory(path: Path, series: Series) -> None:
    """zipfile reads the directory of any zip into memory, a gigabyte for a hundred megabytes of it: look first."""
    with path.open("rb") as file:
        start, size = file.read(64), path.stat().st_size
        if start[:2] != b"PK":
            raise PassingError(f"answers {start[:20].decode('ascii', 'replace')!r} where a zip is expected")
        file.seek(max(size - _END.size, 0))
        end = file.read()
    if len(end) != _END.size or not end.startswith(b"PK\5\6"):
        raise PassingError("the zip is cut short, it has no end")
    _, _, _, _, entries, directory_bytes, _, _ = _END.unpack(end)
    most = series.images + _EXTRA_ENTRIES
    if entries > most or directory_bytes > most * _ENTRY_BYTES:
        raise SourceError(f"the zip has {entries} entries where the manifest has {series.images} files")


def _dicom_names(archive: zipfile.ZipFile, series: Series) -> list[str]:
    entries = archive.infolist()
    names = [entry.orig_filename for entry in entries]
    for entry in entries:
        _require_harmless(entry)
    if len(set(names)) != len(names) or len(names) > series.images + _EXTRA_ENTRIES:
        raise SourceError("the zip holds two entries of one name, or too many")
    if sum(entry.file_size for entry in entries) > series.most_bytes:
        raise SourceError(f"the zip unpacks to more than {series.most_bytes} bytes")
    return [name for name in names if name not in (_MD5S, _LICENSE)]


def _require_harmless(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    if name not in (_MD5S, _LICENSE) and not _DICOM.match(name):
        raise SourceError(f"the zip holds {name[:80]!r}: not read")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        raise SourceError(f"the zip holds a link or a device, {name!r}: not read")
    if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceError(f"the zip packs {name!r} in a way that is not read")
    if name in (_MD5S, _LICENSE) and entry.file_size > _MOST_TEXT_BYTES:
        raise SourceError(f"the zip holds {name} of {entry.file_size} bytes")


def _md5s(archive: zipfile.ZipFile, names: list[str]) -> dict[str, str]:
    if _MD5S not in archive.namelist():
        raise PassingError(f"the zip lacks {_MD5S}, which was asked for")
    rows = csv.reader(archive.read(_MD5S).decode("utf-8").splitlines())
    table = {row[0].strip(): row[1].strip().lower() for row in rows if len(row) == 2 and row[0].strip() != "Filename"}
    missing = [name for name in names if name not in table]
    if missing:
        raise PassingError(f"{_MD5S} lacks {missing[0]}")
    return table
