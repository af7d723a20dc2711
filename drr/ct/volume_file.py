"""NIfTI, MetaImage and NRRD files of a CT: read only when the file itself says where the patient is.

ITK replaces a missing spacing by 1 mm and a missing orientation by the identity without a word; so the header's own
bytes are looked at first. Only MetaImage may leave the orientation out: its own definition makes that the identity.
"""

import gzip
import math
from pathlib import Path
import struct
from typing import BinaryIO, cast, NamedTuple
import zlib

import numpy as np
import SimpleITK as sitk

from drr.ct.limits import MAX_HU, MAX_VOXELS, MIN_SLICES
from drr.errors import InputError
from drr.volume import AIR_HU, image_io, read_volume, Volume

_TEXT_HEADER_BYTES = 65536
_CHUNK_BYTES = 2**24
_FLOATS = {16: "f4", 64: "f8"}  # by NIfTI datatype
_NOT_FINITE = f"holds NaN or infinite values: replace them, air is {AIR_HU} HU"


class _NiftiLayout(NamedTuple):
    """Byte order, and (struct code, byte offset) of the header's fields, as in nifti1.h and nifti2.h."""

    order: str
    dim: tuple[str, int]
    pixdim: tuple[str, int]
    codes: tuple[str, int]
    datatype: tuple[str, int]
    bitpix: tuple[str, int]
    vox_offset: tuple[str, int]


def read_volume_file(path: Path) -> Volume:
    """Read a CT from a volume file as int16 HU, in its own directions; what is below -1024 HU becomes -1024.

    Raises InputError, naming the path, for a file without spacing or orientation, of more or fewer than three axes, too
    large or too thin, with NaN or infinite values.
    """
    try:
        _require_place(path)
        _require_sane_size(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, EOFError, ValueError, OverflowError, zlib.error, struct.error) as error:
        raise InputError(f"{path}: not a readable volume file ({error}): fetch it again") from None
    volume = read_volume(path)
    array = volume.array
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path}: values of type {array.dtype} are no Hounsfield units")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{path}: {_NOT_FINITE}")
    if array.dtype == np.int16:  # its own array: no copy
        np.maximum(array, AIR_HU, out=array)
        return volume
    hu = np.clip(array, AIR_HU, MAX_HU)
    hu = (np.rint(hu, out=hu) if hu.dtype.kind == "f" else hu).astype(np.int16)
    return Volume(hu, volume.spacing_mm, volume.origin_mm, volume.direction)


def _require_place(path: Path) -> None:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as stream:
            _require_whole_nifti(cast(BinaryIO, stream))
        return
    with path.open("rb") as stream:
        text = stream.read(_TEXT_HEADER_BYTES)
    (_require_nrrd_place if name.endswith(".nrrd") else _require_metaimage_place)(text)


def _require_whole_nifti(stream: BinaryIO) -> None:
    """Look at what ITK's reader passes over: a header without a place, voxels cut off, NaN (which it turns into 0)."""
    head = stream.read(540)
    layout = _nifti_layout(head)
    order = layout.order
    dims, spacing, codes, datatype, bits, offset = (
        struct.unpack_from(order + code, head, at)
        for code, at in (layout.dim, layout.pixdim, layout.codes, layout.datatype, layout.bitpix, layout.vox_offset)
    )
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        raise InputError(f"states no voxel spacing (pixdim {spacing}): save it with the CT's spacing in mm")
    if not any(code > 0 for code in codes):
        raise InputError("states no orientation (qform_code and sform_code are 0): left and right are unknown")
    voxels = math.prod(max(size, 1) for size in dims[1 : 1 + max(0, min(dims[0], 7))])
    if voxels > MAX_VOXELS:
        raise InputError(f"{voxels} voxels are too many for a CT")
    if bits[0] <= 0 or bits[0] % 8 or not 0 <= offset[0] < MAX_VOXELS:
        raise InputError(f"the header is damaged (bitpix {bits[0]}, vox_offset {offset[0]}): fetch it again")
    stream.seek(int(offset[0]))
    _require_whole_voxels(stream, voxels * bits[0] // 8, _FLOATS.get(datatype[0]), order)


def _require_whole_voxels(stream: BinaryIO, promised: int, float_code: str | None, order: str) -> None:
    left = promised
    while left:
        chunk = stream.read(min(left, _CHUNK_BYTES))
        left -= len(chunk)
        if not chunk or (left and len(chunk) % 8):
            raise InputError(f"the file is cut short, {left} of {promised} bytes of voxels are missing: fetch it again")
        if float_code and not np.isfinite(np.frombuffer(chunk, order + float_code)).all():
            raise InputError(_NOT_FINITE)


def _nifti_layout(head: bytes) -> _NiftiLayout:
    for order in "<>":
        if head[344:347] == b"n+1" and struct.unpack_from(order + "i", head)[0] == 348:
            return _NiftiLayout(order, ("8h", 40), ("3f", 80), ("2h", 252), ("h", 70), ("h", 72), ("f", 108))
        if head[4:7] == b"n+2" and struct.unpack_from(order + "i", head)[0] == 540:
            return _NiftiLayout(order, ("8q", 16), ("3d", 112), ("2i", 344), ("h", 12), ("h", 14), ("q", 168))
    raise InputError("not a NIfTI file")


def _require_metaimage_place(text: bytes) -> None:
    fields = _fields(text, b"=", last=b"ElementDataFile")
    if b"ElementDataFile" not in fields:
        raise InputError("not a MetaImage file")
    if not fields.keys() & {b"ElementSpacing", b"ElementSize"}:
        raise InputError("states no voxel spacing (ElementSpacing): save it with the CT's spacing in mm")
    _require_neighbour(fields[b"ElementDataFile"])


def _require_nrrd_place(text: bytes) -> None:
    if not text.startswith(b"NRRD"):
        raise InputError("not an NRRD file")
    fields = _fields(text.replace(b"\r\n", b"\n").partition(b"\n\n")[0], b":")
    if not {b"space", b"space directions"} <= fields.keys():
        raise InputError(
            "states no voxel spacing and orientation (space, space directions): left and right are unknown"
        )
    _require_neighbour(fields.get(b"data file", fields.get(b"datafile", b"")))


def _fields(text: bytes, separator: bytes, last: bytes | None = None) -> dict[bytes, bytes]:
    fields = {}
    for line in text.splitlines():
        key, found, value = line.partition(separator)
        if found:
            fields[key.strip()] = value.strip()
        if key.strip() == last:
            break
    return fields


def _require_neighbour(data_file: bytes) -> None:
    """A header may name a file of its own folder, nothing else of this machine."""
    if b"/" in data_file or b"\\" in data_file or data_file.startswith(b"LIST") or b"%" in data_file:
        raise InputError(f"its voxels are in {data_file.decode(errors='replace')!r}: only one file beside it is read")


def _require_sane_size(path: Path) -> None:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(image_io(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"not a readable volume ({str(error).strip().splitlines()[-1].strip()})") from None
    size = reader.GetSize()
    if math.prod(size) > MAX_VOXELS:
        raise InputError(f"{size} voxels are too many for a CT")
    if len(size) >= 3 and min(size[:3]) < MIN_SLICES:
        raise InputError(f"{size} voxels are too few along one axis, a CT has at least {MIN_SLICES}")
