"""Volume files with any header, byte by byte, and a mathematical body to put into them."""

from collections.abc import Mapping
import gzip
from pathlib import Path
import struct
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray

STEP_MM = 10.0
SHAPE = (20, 16, 12)  # x, y, z
CORNER_MM = (-95.0, -75.0, -60.0)
AXES = (STEP_MM, 0, 0, 0, STEP_MM, 0, 0, 0, STEP_MM)


def truth_hu(x: Any, y: Any, z: Any) -> NDArray[np.float64]:
    """HU at LPS mm: a body with two unlike lungs, a spine behind, and a ramp to the head."""

    def inside(cx: float, cy: float, cz: float, rx: float, ry: float, rz: float) -> Any:
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1

    hu = np.where(inside(0, 0, 0, 85, 65, 1e6), 40 + 0.5 * z, -1000)
    hu = np.where(inside(-40, -5, 10, 28, 35, 45), -850, hu)
    hu = np.where(inside(40, -5, -5, 22, 30, 40), -800, hu)
    return np.asarray(np.where(inside(0, 45, 0, 12, 12, 1e6), 500, hu), np.float64)


def body() -> NDArray[np.int16]:
    """The body on the grid of these files, (z, y, x)."""
    x, y, z = (corner + STEP_MM * np.arange(size) for corner, size in zip(CORNER_MM, SHAPE, strict=True))
    return np.rint(truth_hu(x, y[:, None], z[:, None, None])).astype(np.int16)


def error_hu(volume: Any) -> float:
    """Mean absolute error of a drr.volume.Volume against the truth, at the places that it states."""
    index = np.indices(volume.array.shape)[::-1].reshape(3, -1) * np.array(volume.spacing_mm)[:, None]
    place = np.reshape(volume.direction, (3, 3)) @ index + np.array(volume.origin_mm)[:, None]
    return float(np.abs(volume.array.ravel() - truth_hu(*place)).mean())


def ras(axes: Any = AXES, corner: Any = CORNER_MM) -> NDArray[np.float64]:
    """LPS axes (row-major, columns are the array's axes) and corner as NIfTI's affine (4, 4), in RAS."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(axes, (3, 3))
    affine[:3, 3] = corner
    return np.diag([-1.0, -1, 1, 1]) @ affine


def nifti(
    array: NDArray[Any] | None = None,
    *,
    sform: NDArray[Any] | None = None,
    qform: tuple[float, ...] | None = None,
    codes: tuple[int, int] = (0, 1),
    pixdim: tuple[float, ...] = (1, STEP_MM, STEP_MM, STEP_MM),
    order: str = "<",
    patches: Mapping[int, bytes] | None = None,
) -> bytes:
    """A NIfTI-1 file as nifti1.h lays it out.

    qform: quaternion b, c, d and offsets x, y, z. codes: of qform and sform. patches: bytes put over the header.
    """
    array = body() if array is None else array
    code = {"i2": 4, "f4": 16, "f8": 64, "u1": 2, "i4": 8, "u2": 512}[array.dtype.str[1:]]
    head = bytearray(352)
    struct.pack_into(f"{order}i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, 3, *array.shape[::-1], 1, 1, 1, 1)
    struct.pack_into(f"{order}2h", head, 70, code, 8 * array.dtype.itemsize)
    struct.pack_into(f"{order}4f", head, 76, *pixdim)
    struct.pack_into(f"{order}3f", head, 108, 352, 1, 0)
    struct.pack_into(f"{order}2h", head, 252, *codes)
    struct.pack_into(f"{order}6f", head, 256, *(qform or (0, 0, 1, -CORNER_MM[0], -CORNER_MM[1], CORNER_MM[2])))
    affine = ras() if sform is None else sform
    struct.pack_into(f"{order}12f", head, 280, *affine[:3].ravel())
    head[344:348] = b"n+1\0"
    for at, data in (patches or {}).items():
        head[at : at + len(data)] = data
    return bytes(head) + array.astype(array.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()


def text(lines: Mapping[str, Any], sign: str) -> bytes:
    """Header lines in their order; a value of None leaves one out."""
    return "".join(f"{key}{sign}{value}\n" for key, value in lines.items() if value is not None).encode()


def metaimage(changes: Mapping[str, Any] | None = None, data: bytes | None = None) -> bytes:
    """A .mha of the body; changes: fields that are put in before the last, or left out (None)."""
    fields = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "CompressedData": None,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "{} {} {}".format(*CORNER_MM),
        "ElementSpacing": "10 10 10",
        "DimSize": "{} {} {}".format(*SHAPE),
        "ElementType": "MET_SHORT",
    } | dict(changes or {})
    last = fields.pop("ElementDataFile", "LOCAL")
    return text({**fields, "ElementDataFile": last}, " = ") + (body().tobytes() if data is None else data)


def packed_metaimage(changes: Mapping[str, Any] | None = None, data: bytes | None = None) -> bytes:
    """A .mha whose voxels are a zlib stream."""
    stream = zlib.compress(body().tobytes()) if data is None else data
    return metaimage({"CompressedData": True, "CompressedDataSize": len(stream)} | dict(changes or {}), stream)


def nrrd(changes: Mapping[str, Any] | None = None, data: bytes | None = None) -> bytes:
    """A .nrrd of the body; changes as above."""
    fields = {
        "type": "short",
        "dimension": 3,
        "space": "left-posterior-superior",
        "sizes": "{} {} {}".format(*SHAPE),
        "space directions": "(10,0,0) (0,10,0) (0,0,10)",
        "endian": "little",
        "encoding": "raw",
        "space origin": "({},{},{})".format(*CORNER_MM),
    } | dict(changes or {})
    return b"NRRD0004\n" + text(fields, ": ") + b"\n" + (body().tobytes() if data is None else data)


def packed_nrrd(changes: Mapping[str, Any] | None = None, data: bytes | None = None) -> bytes:
    """A .nrrd whose voxels are a gzip stream."""
    return nrrd({"encoding": "gzip"} | dict(changes or {}), gzip.compress(body().tobytes()) if data is None else data)


def written(path: Path, content: bytes) -> Path:
    """The path, after the content was written to it."""
    path.write_bytes(content)
    return path
