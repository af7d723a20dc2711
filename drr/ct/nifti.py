"""NIfTI-1 and NIfTI-2 headers, as nibabel reads them; sources: nifti1.h, nifti2.h."""

import io
import math
from pathlib import Path
import struct
from typing import Any

import numpy as np

from drr.ct.consistency import Matrix, require_one_place
from drr.ct.voxels import beside, Inflated, open_regular, require_scalar, Stored, three_axes
from drr.errors import InputError

_BYTES = {1: 348, 2: 540}
_MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units: unknown, m, mm, micrometres
_UNIT = {1: "metres", 3: "micrometres"}
_LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MAX_OFFSET = 2**24  # header extensions are texts


def read_nifti(path: Path, needs_place: bool = True) -> Stored:
    """What the header of a .nii, .nii.gz or .hdr says; InputError for one that is damaged or contradicts itself.

    needs_place: False gives a header without orientation voxels of 1 mm along the axes, for somebody who knows better.
    """
    with open_regular(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = io.BufferedReader(Inflated(file)) if packed else file
        head = stream.read(_BYTES[2])
    header, magic = _header(head)
    shape = three_axes(_sizes(header))
    affine, remarks = _affine_mm(header, shape, needs_place)
    dtype = _dtype(header)
    slope, intercept = _scale(header)
    offset = _offset(header, magic)
    if magic.startswith(b"ni"):
        if packed:
            raise InputError("a packed .hdr is not read: convert it to .nii.gz")
        return Stored(_image_of(path), offset, "raw", dtype, shape, affine, 0, None, slope, intercept, remarks)
    start, skip = (0, offset) if packed else (offset, 0)
    return Stored(
        path, start, "deflate" if packed else "raw", dtype, shape, affine, skip, None, slope, intercept, remarks
    )


def _header(head: bytes) -> tuple[Any, bytes]:
    """nibabel's header, and its magic word."""
    from nibabel.nifti1 import Nifti1Header  # slow to import, and other formats do not need it
    from nibabel.nifti2 import Nifti2Header

    for order in "<>":
        size = struct.unpack_from(order + "i", head)[0] if len(head) >= _BYTES[1] else 0
        if size == _BYTES[1] and head[344:348] in (b"n+1\0", b"ni1\0"):
            return Nifti1Header(head[: _BYTES[1]], order, check=False), head[344:347]
        if size == _BYTES[2] == len(head) and head[4:8] in (b"n+2\0", b"ni2\0"):
            return Nifti2Header(head, order, check=False), head[4:7]
        if size == _BYTES[1]:
            raise InputError("an Analyze file states no orientation, left and right are unknown: convert it anew")
    raise InputError("not a NIfTI file")


def _image_of(path: Path) -> Path:
    return beside(path, path.name[:-4] + (".IMG" if path.name.endswith(".HDR") else ".img"))


def _sizes(header: Any) -> tuple[int, ...]:
    axes, *sizes = header["dim"].tolist()
    if not 1 <= axes <= 7 or min(sizes[:axes]) < 1:
        raise InputError(f"the header is damaged (dim {[axes, *sizes]}): fetch it again")
    if axes >= 5:
        require_scalar("a vector or tensor", sizes[4])
    return tuple(sizes[:axes])


def _dtype(header: Any) -> np.dtype[Any]:
    code, bits = int(header["datatype"]), int(header["bitpix"])
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except KeyError:
        raise InputError(f"values of unknown type (datatype {code}): convert it to int16 HU") from None
    if dtype.fields:
        require_scalar("colour", len(dtype.fields))
    if dtype.kind == "c":
        require_scalar("complex", 2)
    if dtype.kind not in "iuf" or not 1 <= dtype.itemsize <= 8:
        raise InputError(f"values of datatype {code} are no Hounsfield units: convert it to int16 HU")
    if bits != 8 * dtype.itemsize:
        raise InputError(f"the header is damaged (bitpix {bits} of {dtype.name}): fetch it again")
    return dtype


def _scale(header: Any) -> tuple[float, float]:
    """A slope of 0 means that values are stored as they are; so does one that is no number."""
    slope, intercept = (float(header[name]) for name in ("scl_slope", "scl_inter"))
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise InputError(f"the header is damaged (scl_slope {slope:g}, scl_inter {intercept:g}): fetch it again")
    return slope, intercept


def _offset(header: Any, magic: bytes) -> int:
    """Bytes before the first voxel."""
    least = 0 if magic.startswith(b"ni") else {b"n+1": 352, b"n+2": 544}[magic]
    offset = float(header["vox_offset"]) or float(least)
    if not (least <= offset <= _MAX_OFFSET and offset.is_integer()):
        raise InputError(f"the header is damaged (vox_offset {offset:g}): fetch it again")
    return int(offset)


def _affine_mm(header: Any, shape: tuple[int, int, int], needs_place: bool) -> tuple[Matrix, tuple[str, ...]]:
    """Voxel index to LPS mm: the sform where it has a code, as nibabel and ITK take it, or else the qform."""
    zooms = np.asarray(header["pixdim"][1:4], np.float64)
    if not (np.isfinite(zooms).all() and zooms.min() > 0):
        raise InputError(f"states no voxel spacing (pixdim {zooms.tolist()}): save it with the CT's spacing in mm")
    qform = _qform(header) if int(header["qform_code"]) > 0 else None
    sform = np.asarray(header.get_sform(), np.float64) if int(header["sform_code"]) > 0 else None
    if sform is not None:
        require_one_place(sform, qform, zooms, shape)
    chosen = qform if sform is None else sform
    if chosen is None and not needs_place:
        return np.eye(4), ()
    if chosen is None:
        raise InputError("states no orientation (qform_code and sform_code are 0): left and right are unknown")
    unit = int(header["xyzt_units"]) & 7
    if unit not in _MM_OF_UNIT:
        raise InputError(f"states lengths in an unknown unit (xyzt_units {unit}): save it with the CT's spacing in mm")
    scale = np.diag([_MM_OF_UNIT[unit]] * 3 + [1.0])
    remarks = (f"lengths in {_UNIT[unit]} are converted to mm",) if unit in _UNIT else ()
    return np.asarray(_LPS_OF_RAS @ scale @ chosen), remarks


def _qform(header: Any) -> Matrix:
    from nibabel.spatialimages import HeaderDataError

    if header["pixdim"][0] == 0:  # qfac, which nifti1.h takes as 1 then
        header = header.copy()
        header["pixdim"][0] = 1
    try:
        qform = np.asarray(header.get_qform(), np.float64)
    except (ValueError, HeaderDataError):
        qform = np.full((4, 4), np.nan)
    if not np.isfinite(qform).all():
        raise InputError("states no rotation by its qform (its quaternion is none): the header is damaged")
    return qform
