"""A request's body as a file: streamed to disk, bounded, named by its first bytes and never by its sender."""

from collections.abc import AsyncIterator
from pathlib import Path
import secrets

from drr.errors import InputError

FILM_BYTES, TRUTH_BYTES = 128 * 2**20, 512 * 2**20
_DICOM_AT, _TEXT = 128, 64
# What a file begins with, and the suffix by which predict chooses its reader.
_MARKS = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"))
_METAIMAGE = (b"ObjectType", b"NDims")


class TooLargeError(Exception):
    """More bytes than are taken."""


async def save(body: AsyncIterator[bytes], folder: Path, stem: str, most: int, kind: str) -> Path:
    """Write a body into `folder`; TooLargeError beyond `most` bytes, InputError for none. kind: film or truth."""
    part = folder / f"{stem}-{secrets.token_hex(4)}.part"
    size = 0
    try:
        with part.open("wb") as file:
            async for block in body:
                size += len(block)
                if size > most:
                    raise TooLargeError(f"more than {most // 2**20} MiB: no {kind} is so large")
                file.write(block)
        if not size:
            raise InputError("the file is empty: choose another")
        with part.open("rb") as file:
            head = file.read(512)
        found = part.with_suffix(suffix_of_film(head) if kind == "film" else suffix_of_truth(head))
        part.rename(found)
        return found
    finally:
        part.unlink(missing_ok=True)


def suffix_of_film(head: bytes) -> str:
    """By the first bytes; none where only predict's own reader can tell, or refuse."""
    for mark, suffix in _MARKS:
        if head.startswith(mark):
            return suffix
    if head[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        return ".dcm"
    return ".mha" if head.lstrip()[:_TEXT].startswith(_METAIMAGE) else ".film"


def suffix_of_truth(head: bytes) -> str:
    """NIfTI, packed or not; InputError for anything else."""
    if head.startswith(b"\x1f\x8b"):
        return ".nii.gz"
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return ".nii"
    raise InputError("not a NIfTI file (.nii, .nii.gz): convert the CT, for example with dcm2niix")
