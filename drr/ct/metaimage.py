"""MetaImage headers (.mha, .mhd), read as MetaIO reads them; source: its documentation and metaImage.cxx."""

from pathlib import Path
import re
from typing import Any

import numpy as np

from drr.ct.consistency import Matrix
from drr.ct.voxels import beside, open_regular, require_scalar, Stored, TEXT_HEADER_BYTES, three_axes
from drr.errors import InputError

_DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_MM_OF_UNIT = {"": 1.0, "?": 1.0, "mm": 1.0, "um": 0.001, "cm": 10.0, "m": 1000.0}
_LAST = "ElementDataFile"
_NO_SPACING = "states no voxel spacing (ElementSpacing): save it with the CT's spacing in mm"
Fields = dict[str, str]


def read_metaimage(path: Path) -> Stored:
    """What the header says; InputError for one that is damaged, ambiguous or names a file outside its folder."""
    fields, header_bytes = _header(path)
    sizes = _sizes(fields)
    shape = three_axes(sizes)
    return _stored(path, fields, header_bytes, shape, *_affine_mm(fields, len(sizes)))


def read_image_header(path: Path) -> Stored:
    """The same of one 2-D image: its shape is (columns, rows, 1), its affine holds the pixels' spacing alone."""
    fields, header_bytes = _header(path)
    sizes = _sizes(fields)
    columns, rows, *others = (*sizes, *(1,) * (2 - len(sizes)))
    if any(size != 1 for size in others):
        raise InputError(f"{' x '.join(map(str, sizes))} pixels: an X-ray is one image, not a stack")
    x_mm, y_mm = _spacing_mm(fields, len(sizes), 2)
    return _stored(path, fields, header_bytes, (columns, rows, 1), np.diag([x_mm, y_mm, 1.0, 1.0]), ())


def _header(path: Path) -> tuple[Fields, int]:
    with open_regular(path) as file:
        return _fields(file.read(TEXT_HEADER_BYTES))


def _stored(
    path: Path,
    fields: Fields,
    header_bytes: int,
    shape: tuple[int, int, int],
    affine: Matrix,
    remarks: tuple[str, ...],
) -> Stored:
    dtype = _dtype(fields)
    file_name, start = _data(path, fields, header_bytes, dtype.itemsize * int(np.prod(shape, dtype=object)))
    packed = _flag(fields, "CompressedData")
    size = _integer(fields, "CompressedDataSize", 0) if packed else 0
    if size < 0:
        raise InputError(f"the header is damaged (CompressedDataSize {size}): fetch it again")
    slope, intercept = (
        _number(fields, f"ElementToIntensityFunction{name}", value) for name, value in (("Slope", 1.0), ("Offset", 0.0))
    )
    return Stored(
        file_name,
        start,
        "deflate" if packed else "raw",
        dtype,
        shape,
        affine,
        packed_bytes=size or None,
        slope=slope,
        intercept=intercept,
        remarks=remarks,
    )


def _fields(text: bytes) -> tuple[Fields, int]:
    """The header's lines by their key, and its length in bytes. MetaIO ends it with ElementDataFile.

    MetaIO parts key and value at = or :, and lines at a lone carriage return too; what it could read otherwise than
    people do is refused.
    """
    fields: Fields = {}
    at = 0
    while at < len(text):
        line, _, _ = text[at:].partition(b"\n")
        at += len(line) + 1
        if b"\r" in line.removesuffix(b"\r"):
            raise InputError("not a MetaImage file, or a header with stray line ends: write it anew")
        key, found, value = re.match(rb"([^=:]*)([=:]?)(.*)", line.removesuffix(b"\r"), re.DOTALL).groups()  # type: ignore[union-attr]
        name = key.strip().decode("latin-1")
        if not found:
            if name:
                break
            continue
        if name in fields:
            raise InputError(f"contradicts itself: two lines {name}: write the header anew")
        fields[name] = value.strip().decode("utf-8", "surrogateescape")
        if name == _LAST:
            return fields, at
    raise InputError(f"not a MetaImage file, or one without {_LAST} in its first {TEXT_HEADER_BYTES} bytes")


def _words(fields: Fields, key: str) -> list[str]:
    return fields.get(key, "").split()


def _damaged(key: str, fields: Fields) -> InputError:
    return InputError(f"the header is damaged ({key} = {fields.get(key, '')[:60]!r}): fetch it again")


def _numbers(fields: Fields, key: str, count: int) -> Matrix:
    words = _words(fields, key)
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        raise _damaged(key, fields) from None
    if len(values) != count or not np.isfinite(values).all():
        raise _damaged(key, fields)
    return values


def _number(fields: Fields, key: str, default: float) -> float:
    return float(_numbers(fields, key, 1)[0]) if key in fields else default


def _integer(fields: Fields, key: str, default: int) -> int:
    word = fields.get(key, str(default))
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        raise _damaged(key, fields)
    return int(word)


def _flag(fields: Fields, key: str, default: bool = False) -> bool:
    """MetaIO looks at the first letter."""
    word = fields.get(key, str(default))
    if word[:1] not in tuple("TtYy1FfNn0"):
        raise _damaged(key, fields)
    return word[:1] in tuple("TtYy1")


def _sizes(fields: Fields) -> tuple[int, ...]:
    if fields.get("ObjectType", "Image") != "Image":
        raise InputError(f"holds a MetaIO object of type {fields['ObjectType'][:60]!r}, not an image")
    axes = _integer(fields, "NDims", 0)
    words = _words(fields, "DimSize")
    if not 1 <= axes <= 10:
        raise _damaged("NDims", fields)
    if len(words) != axes or not all(re.fullmatch(r"[0-9]{1,18}", word) and int(word) for word in words):
        raise _damaged("DimSize", fields)
    return tuple(map(int, words))


def _dtype(fields: Fields) -> np.dtype[Any]:
    require_scalar("ElementNumberOfChannels", _integer(fields, "ElementNumberOfChannels", 1))
    if not _flag(fields, "BinaryData"):
        raise InputError("its voxels are written as text (BinaryData is not True): save it in binary form")
    name = fields.get("ElementType", "")
    if name not in _DTYPES:
        raise InputError(f"values of type {name[:60]!r} are no Hounsfield units: convert it to MET_SHORT")
    order = _first(fields, "ElementByteOrderMSB", "BinaryDataByteOrderMSB")
    return np.dtype((">" if order and _flag(fields, order) else "<") + _DTYPES[name])


def _first(fields: Fields, *keys: str) -> str | None:
    """The one of several names of a field that the header uses; InputError for two that differ."""
    there = [key for key in keys if key in fields]
    if len({fields[key] for key in there}) > 1:
        raise InputError(f"contradicts itself: {' and '.join(there)} differ: write the header anew")
    return there[0] if there else None


def _affine_mm(fields: Fields, axes: int) -> tuple[Matrix, tuple[str, ...]]:
    """Voxel index to LPS mm, MetaImage's own convention; row k of TransformMatrix is the direction of axis k."""
    spacing = _spacing_mm(fields, axes, 3)
    matrix = _first(fields, "TransformMatrix", "Rotation", "Orientation")
    rows = np.eye(axes) if matrix is None else _numbers(fields, matrix, axes * axes).reshape(axes, axes)
    if not (np.allclose(rows[3:, :3], 0) and np.allclose(rows[:3, 3:], 0)):
        raise _damaged(str(matrix), fields)
    origin = _first(fields, "Offset", "Position", "Origin")
    corner = np.zeros(3) if origin is None else _numbers(fields, origin, axes)[:3]
    remarks = _orientation_remarks(fields, rows[:3, :3], matrix)
    unit = fields.get("DistanceUnits", "")
    if unit not in _MM_OF_UNIT:
        raise InputError(f"states lengths in an unknown unit (DistanceUnits = {unit[:20]!r}): save it in mm")
    if _MM_OF_UNIT[unit] != 1:
        remarks += (f"lengths in {unit} are converted to mm",)
    directions = rows[:3, :3].T
    lengths = np.linalg.norm(directions, axis=0)
    if np.abs(lengths - 1).max() > 1e-2:  # lengths belong to the spacing alone
        raise InputError(f"contradicts itself: {matrix} = {fields[str(matrix)][:80]} are no directions of length 1")
    affine = np.eye(4)
    affine[:3, :3] = directions / lengths * spacing * _MM_OF_UNIT[unit]
    affine[:3, 3] = corner * _MM_OF_UNIT[unit]
    return affine, remarks


def _spacing_mm(fields: Fields, axes: int, kept: int) -> Matrix:
    """(kept,) along the first axes, in the header's unit."""
    size = next((key for key in ("ElementSpacing", "ElementSize") if key in fields), None)
    if size is None:
        raise InputError(_NO_SPACING)
    spacing = _numbers(fields, size, axes)[:kept]
    if spacing.min() <= 0:
        raise InputError(f"states no voxel spacing ({size} = {fields[size][:60]}): save it with the CT's spacing in mm")
    return spacing


def _orientation_remarks(fields: Fields, rows: Matrix, matrix: str | None) -> tuple[str, ...]:
    """AnatomicalOrientation says where axes come from as ITK writes it, where they go by MetaIO's documentation.

    Only ITK's RAI, the directions of its default, has one meaning without a matrix.
    """
    said = fields.get("AnatomicalOrientation", "").upper()
    if not said or "?" in said:
        return ()
    if matrix is None and said != "RAI":
        raise InputError(
            f"AnatomicalOrientation {said[:20]} without TransformMatrix has two readings: left and right are unknown"
        )
    strongest = np.abs(rows).argmax(axis=1)
    ends = ("RL", "AP", "IS")
    coming = "".join(ends[k][int(row[k] < 0)] for k, row in zip(strongest, rows, strict=True))
    going = "".join(ends[k][int(row[k] > 0)] for k, row in zip(strongest, rows, strict=True))
    if said in (coming, going):
        return ()
    return (f"AnatomicalOrientation {said[:20]} contradicts {matrix}, which is {coming}: {matrix} is followed",)


def _data(path: Path, fields: Fields, header_bytes: int, promised: int) -> tuple[Path, int]:
    """The file of the voxels and where they begin in it."""
    name = fields[_LAST]
    skip = _integer(fields, "HeaderSize", 0)
    if name.upper() == "LOCAL":
        if skip:
            raise _damaged("HeaderSize", fields)
        return path, header_bytes
    if path.name.lower().endswith(".mha"):
        raise InputError(f"its voxels are in {name[:200]!r}: a .mha holds its own (ElementDataFile = LOCAL)")
    if name.startswith("LIST") or "%" in name or not name:
        raise InputError(f"its voxels are in {name[:200]!r}: only one file beside it is read")
    data = beside(path, name)
    if skip == -1 and not _flag(fields, "CompressedData"):
        skip = max(data.stat().st_size - promised, 0)
    if skip < 0:
        raise _damaged("HeaderSize", fields)
    return data, skip
