"""Voxels that are no numbers, also where the reader hides them: ITK's NIfTI reader turns them into 0."""

import gzip
from pathlib import Path
import struct
import zlib

import numpy as np

from drr.errors import InputError
from drr.volume import Volume

HEADER = 348  # bytes of NIfTI-1
KINDS = {16: "f4", 64: "f8"}  # its floating-point types


def require_finite(path: Path, volume: Volume) -> None:
    """Raise InputError naming the file when a voxel of it is NaN or infinite; volume: what `read_volume` made of it."""
    count = int(np.count_nonzero(~np.isfinite(volume.array))) or _hidden(path)
    if count:
        raise InputError(f"{path}: {count} voxels are NaN or infinite: fill them")


def _hidden(path: Path) -> int:
    """Such voxels of a single-file NIfTI-1 of floating-point numbers; 0 for any other file."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return 0
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable volume ({error})") from None
    order = "<" if content[:4] == struct.pack("<i", HEADER) else ">"
    (kind,) = struct.unpack_from(f"{order}h", content, 70)
    (start,) = struct.unpack_from(f"{order}f", content, 108)
    if kind not in KINDS or content[344:347] != b"n+1":
        return 0
    size = np.dtype(KINDS[kind]).itemsize
    voxels = np.frombuffer(content, order + KINDS[kind], count=(len(content) - int(start)) // size, offset=int(start))
    return int(np.count_nonzero(~np.isfinite(voxels)))
