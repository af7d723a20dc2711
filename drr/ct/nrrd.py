"""NRRD headers (.nrrd, .nhdr), read as Teem reads them; source: https://teem.sourceforge.net/nrrd/format.html."""

import math
from pathlib import Path
import re
from typing import Any

import numpy as np

from drr.ct.consistency import Matrix
from drr.ct.voxels import beside, open_regular, Packing, require_scalar, Stored, TEXT_HEADER_BYTES, three_axes
from drr.errors import InputError

_WORDS_OF_TYPE = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {word: code for code, words in _WORDS_OF_TYPE.items() for word in words}
_PACKINGS: dict[str, Packing] = {"raw": "raw", "gzip": "deflate", "gz": "deflate"}
_SIGNS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
_SPACES = {
    "right-anterior-superior": "RAS",
    "left-anterior-superior": "LAS",
    "left-posterior-superior": "LPS",
    "ras": "RAS",
    "las": "LAS",
    "lps": "LPS",
}
_MM_OF_UNIT = {"": 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "μm": 0.001}
_MM_OF_UNIT |= {f"{stem}met{end}": mm for stem, mm in (("milli", 1.0), ("centi", 10.0), ("", 1000.0), ("micro", 0.001))
                for end in ("er", "ers", "re", "res")}  # fmt: skip
_NO_PLACE = "states no voxel spacing and orientation (space, space directions): left and right are unknown"
Fields = dict[str, str]


def read_nrrd(path: Path) -> Stored:
    """What the header says; InputError for one that is damaged, ambiguous or names a file outside its folder."""
    with open_regular(path) as file:
        text = file.read(TEXT_HEADER_BYTES)
        size = file.seek(0, 2)
    fields, header_bytes = _fields(text, size)
    shape, directions = _axes(fields)
    affine, remarks = _affine_mm(fields, directions)
    dtype = _dtype(fields)
    encoding = fields.get("encoding", "").lower()
    if encoding not in _PACKINGS:
        raise InputError(f"voxels of encoding {encoding[:40]!r} are not read: save it as raw or gzip")
    packing = _PACKINGS[encoding]
    file_name = _data_file(path, fields)
    if file_name is None and header_bytes is None:
        raise InputError("the header is damaged (no empty line before the voxels): fetch it again")
    start = (header_bytes or 0) if file_name is None else 0
    promised = dtype.itemsize * math.prod(shape)
    data = file_name or path
    start, skip = _skipped(fields, packing, start, data.stat().st_size - promised)
    return Stored(data, start, packing, dtype, shape, affine, skip, remarks=remarks)


def _fields(text: bytes, size: int) -> tuple[Fields, int | None]:
    """Fields by their name in lower case without spaces, as Teem takes `data file`, `Data File` and DATAFILE for one.

    And the bytes up to and with the empty line, None without one.
    """
    if not re.match(rb"NRRD\d{4}\r?\n", text):
        raise InputError("not an NRRD file")
    fields: Fields = {}
    at = text.index(b"\n") + 1
    while at < len(text):
        line, _, _ = text[at:].partition(b"\n")
        at += len(line) + 1
        line = line.removesuffix(b"\r")
        if not line:
            return fields, at
        if b"\r" in line or b"\0" in line:
            raise InputError("the header is damaged (stray line ends or zeros in it): write it anew")
        _add(fields, line.decode("utf-8", "surrogateescape"))
    if size > TEXT_HEADER_BYTES:
        raise InputError(f"the header is damaged (longer than {TEXT_HEADER_BYTES} bytes): fetch it again")
    return fields, None


def _add(fields: Fields, line: str) -> None:
    name, colon, value = line.partition(":")
    if line.startswith("#") or value.startswith("="):  # a comment, or a key of somebody's own
        return
    if not colon:
        raise InputError(f"the header is damaged ({line[:60]!r} is no field): fetch it again")
    key = re.sub(r"\s", "", name).lower()
    if key in fields:
        raise InputError(f"contradicts itself: two fields {name.strip()[:60]!r}: write the header anew")
    fields[key] = value.strip()


def _damaged(name: str, value: str) -> InputError:
    return InputError(f"the header is damaged ({name}: {value[:60]!r}): fetch it again")


def _axes(fields: Fields) -> tuple[tuple[int, int, int], list[Matrix]]:
    """The sizes and space directions of the three axes that lie in space."""
    words, dimension = fields.get("sizes", "").split(), fields.get("dimension", "")
    if not all(re.fullmatch(r"[0-9]{1,18}", word) and int(word) for word in words) or dimension != str(len(words)):
        raise InputError(
            f"the header is damaged (dimension {dimension[:20]!r}, sizes {fields.get('sizes', '')[:60]!r})"
        )
    if not {"space", "spacedirections"} <= fields.keys():
        raise InputError(_NO_PLACE)
    directions = [_vector("space directions", part) for part in _vectors(fields["spacedirections"])]
    sizes = list(map(int, words))
    if len(directions) != len(sizes):
        raise _damaged("space directions", fields["spacedirections"])
    for size, direction in zip(sizes, directions, strict=True):
        if direction is None:
            require_scalar("an axis without direction in space", size)
    kept = [size for size, direction in zip(sizes, directions, strict=True) if direction is not None]
    return three_axes(tuple(kept)), [direction for direction in directions if direction is not None]


def _vectors(text: str) -> list[str]:
    return re.findall(r"\([^()]*\)|[^\s()]+", text)


def _vector(name: str, text: str) -> Matrix | None:
    """(3,) numbers from `(a,b,c)`; None for `none`."""
    if text.lower() == "none":
        return None
    try:
        values = np.array([float(word) for word in text.removeprefix("(").removesuffix(")").split(",")])
    except ValueError:
        raise _damaged(name, text) from None
    if not text.startswith("(") or values.shape != (3,) or not np.isfinite(values).all():
        raise _damaged(name, text)
    return values


def _affine_mm(fields: Fields, directions: list[Matrix]) -> tuple[Matrix, tuple[str, ...]]:
    space = fields["space"].lower()
    if space not in _SPACES:
        raise InputError(f"space is {fields['space'][:40]!r}, not the patient's axes: left and right are unknown")
    if len(directions) != 3:
        raise _damaged("space directions", fields["spacedirections"])
    _require_one_spacing(fields, directions)
    remarks: tuple[str, ...] = ()
    origin = _vector("space origin", fields.get("spaceorigin", "none"))
    if origin is None:
        origin = np.zeros(3)
        remarks += ("states no space origin: (0, 0, 0) is taken",)
    scale, told = _mm(fields)
    affine = np.eye(4)
    for k, letter in enumerate(_SPACES[space]):
        axis, sign = _SIGNS[letter]
        affine[axis, :3] = [sign * scale[k] * direction[k] for direction in directions]
        affine[axis, 3] = sign * scale[k] * origin[k]
    return affine, remarks + told


def _mm(fields: Fields) -> tuple[list[float], tuple[str, ...]]:
    """Mm per unit along every axis of the space; InputError for units that nobody knows."""
    text = fields.get("spaceunits", '"" "" ""')
    units = [unit.strip().lower() for unit in re.findall(r'"([^"]*)"', text)]
    if len(units) != 3 or not all(unit in _MM_OF_UNIT for unit in units):
        raise InputError(f"states lengths in an unknown unit (space units: {text[:60]}): save it in mm")
    scale = [_MM_OF_UNIT[unit] for unit in units]
    told = f"lengths in {', '.join(dict.fromkeys(units))} are converted to mm"
    return scale, (told,) if scale != [1.0] * 3 else ()


def _require_one_spacing(fields: Fields, directions: list[Matrix]) -> None:
    """`spacings` and `units` beside space directions are against the format; harmless where they say the same."""
    spacings = [word for word in fields.get("spacings", "").split() if word.lower() != "nan"]
    lengths = [float(np.linalg.norm(direction)) for direction in directions]
    try:
        same = not spacings or np.allclose([float(word) for word in spacings], lengths, rtol=1e-3)
    except ValueError:
        same = False
    if not same:
        told = " ".join(f"{length:.4g}" for length in lengths)
        raise InputError(f"contradicts itself: spacings are {fields['spacings'][:60]}, by space directions {told}")
    units = {unit.strip().lower() for unit in re.findall(r'"([^"]*)"', fields.get("units", ""))} - {""}
    if units and "spaceunits" not in fields and {_MM_OF_UNIT.get(unit) for unit in units} != {1.0}:
        raise InputError(f"states lengths in units {fields['units'][:60]}: save it with space units in mm")


def _dtype(fields: Fields) -> np.dtype[Any]:
    name = " ".join(fields.get("type", "").lower().split())
    if name not in _DTYPES:
        raise InputError(f"values of type {name[:40]!r} are no Hounsfield units: convert it to short")
    order = {"little": "<", "big": ">"}.get(fields.get("endian", "").lower())
    dtype = np.dtype((order or "<") + _DTYPES[name])
    if order is None and dtype.itemsize > 1:
        raise _damaged("endian", fields.get("endian", ""))
    return dtype


def _data_file(path: Path, fields: Fields) -> Path | None:
    """The file that holds the voxels instead of this one."""
    name = fields.get("datafile")
    if name is None:
        return None
    if not name or name.startswith("LIST") or "%" in name:
        raise InputError(f"its voxels are in {name[:200]!r}: only one file beside it is read")
    return beside(path, name.removeprefix("./"))


def _skipped(fields: Fields, packing: Packing, start: int, at_end: int) -> tuple[int, int]:
    """Start and skip after `line skip` and `byte skip`; a byte skip of -1 means that the voxels end the file."""
    values = [fields.get(key, "0") for key in ("lineskip", "byteskip")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", value) for value in values) or int(values[0]) != 0:
        raise InputError(f"line skip {values[0][:20]} and byte skip {values[1][:20]} are not read: write it anew")
    count = int(values[1])
    if count == -1 and packing == "raw":
        return max(at_end, start), 0
    if count < 0:
        raise _damaged("byte skip", values[1])
    return (start + count, 0) if packing == "raw" else (start, count)
