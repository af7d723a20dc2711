"""The verified files as one zip: stored, in one order, under names of our own, so that equal files make equal bytes."""

from collections.abc import Iterable
import os
from pathlib import Path
import zipfile

from drr.errors import InputError
from dx2ct.data.dicom_write import ZIP_DATE
from dx2ct.data.sources.lidc.receipt import make_receipt, receipt_path
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.staging import Staging
from dx2ct.data.sources.lidc.verify import md5_of, Part

_UNIX, _FILE_MODE = 3, 0o100644


def deliver(parts: Iterable[Part], series: Series, source: dict[str, str], staging: Staging, output: Path) -> None:
    """Write zip and receipt into the staging folder, read the zip back, move both into place."""
    named = name_parts(parts)
    archive, receipt = staging.part("series"), staging.part("receipt")
    _write_zip(named, archive)
    _read_back(named, archive)
    with receipt.open("w", encoding="utf-8") as file:
        file.write(make_receipt(series, source, archive, named))
        os.fsync(file.fileno())
    os.replace(archive, output)
    os.replace(receipt, receipt_path(output))
    folder = os.open(output.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def name_parts(parts: Iterable[Part]) -> dict[str, Part]:
    """000001.dcm, 000002.dcm ... by InstanceNumber, then SOPInstanceUID: no name of a source gets into the zip."""
    ordered = sorted(parts, key=lambda part: (part.instance, part.sop_uid))
    return {f"{number:06}.dcm": part for number, part in enumerate(ordered, start=1)}


def _write_zip(parts: dict[str, Part], path: Path) -> None:
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, part in parts.items():
                info = zipfile.ZipInfo(name, ZIP_DATE)
                info.create_system, info.external_attr = _UNIX, _FILE_MODE << 16
                archive.writestr(info, part.read())
        file.flush()
        os.fsync(file.fileno())


def _read_back(parts: dict[str, Part], path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name, part in parts.items():
            if md5_of(archive.read(name)) != part.md5:
                raise InputError(f"{path}: {part.origin} has changed on the way to the disk: check disk and memory")
