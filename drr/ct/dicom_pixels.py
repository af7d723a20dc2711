"""Stored pixels of a CT slice, and their Hounsfield units."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, IO
import warnings

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from drr.ct.dicom_codestream import require_size
from drr.ct.dicom_folds import ALLOCATED, in_use, Reading
from drr.ct.dicom_image import CtSlice
from drr.ct.dicom_layout import plugin_of
from drr.ct.dicom_parse import brief
from drr.ct.limits import MAX_HU
from drr.ct.sources import Member
from drr.errors import InputError
from drr.folds import Stored
from drr.volume import AIR_HU


def hounsfield_of(
    slices: Sequence[CtSlice], readings: Sequence[Reading] = ()
) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """The index and the HU of every slice, (row, column); the frames of one file in the order they are stored in.

    readings: each counts every slice as it is stored.
    """
    by_member: dict[Member, list[int]] = defaultdict(list)
    for k, one in enumerate(slices):
        by_member[one.member].append(k)
    for member, indices in by_member.items():
        with member.open() as stream:
            for k in sorted(indices, key=lambda k: slices[k].stored.pieces):
                stored = _stored_pixels(slices[k], stream)
                for reading in readings:
                    reading.count(stored, slices[k])
                yield k, _hounsfield(stored, slices[k])


def hounsfield(one: CtSlice) -> NDArray[np.int16]:
    """HU of a slice, (row, column): slope and intercept of this very slice; padding and all below -1024 is -1024.

    Metal keeps its values up to 32767.
    """
    return next(hounsfield_of([one]))[1]


def stored_pixels(one: CtSlice) -> Stored:
    """Decode the 16-bit pixels as they are stored, (row, column); the bits above BitsStored are still there."""
    with one.member.open() as stream:
        return _stored_pixels(one, stream)


def _stored_pixels(one: CtSlice, stream: IO[bytes]) -> Stored:
    try:
        pieces = [_read(stream, offset, length) for offset, length in one.stored.pieces]
        return _decoded(b"".join(pieces), one) if one.stored.syntax.is_encapsulated else _native(pieces[0], one)
    except Exception as error:  # every decoder plugin has exceptions of its own
        raise InputError(
            f"{one.member.name}: pixels cannot be decoded ({brief(error)}): fetch it again or save it uncompressed"
        ) from None


def _read(stream: IO[bytes], offset: int, length: int) -> bytes:
    stream.seek(offset)
    data = stream.read(length)
    if len(data) < length:
        raise InputError(f"{len(data)} of {length} bytes are there")
    return data


def _native(data: bytes, one: CtSlice) -> Stored:
    code = f"{'>' if one.stored.big_endian else '<'}{'i' if one.stored.signed else 'u'}2"
    return np.frombuffer(data, code).reshape(one.rows, one.columns).astype(code[1:], copy=False)


def _decoded(data: bytes, one: CtSlice) -> Stored:
    syntax = one.stored.syntax
    require_size(data, syntax, one.rows, one.columns)
    options: dict[str, Any] = {
        "rows": one.rows,
        "columns": one.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": ALLOCATED,
        "bits_stored": one.bits_stored,
        "pixel_representation": int(one.stored.signed),
        "pixel_keyword": "PixelData",
        "correct_unused_bits": False,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels, _ = get_decoder(syntax).as_array(
            encapsulate([data], has_bot=False), index=0, raw=True, decoding_plugin=plugin_of(syntax), **options
        )
    if pixels.shape != (one.rows, one.columns) or pixels.dtype not in (np.int16, np.uint16):
        raise InputError(f"they are {pixels.dtype} {pixels.shape}, the header promises otherwise")
    return pixels


def _hounsfield(stored: Stored, one: CtSlice) -> NDArray[np.int16]:
    outside = _padded(stored, one)
    stored = in_use(stored, one)
    if one.slope == 1 and one.intercept.is_integer() and abs(one.intercept) <= MAX_HU:
        hu = stored.astype(np.int32)
        hu += int(one.intercept)
    else:
        hu = np.rint(stored * np.float32(one.slope) + np.float32(one.intercept))
    if outside is not None:
        hu[outside] = AIR_HU
    return np.clip(hu, AIR_HU, MAX_HU, out=hu).astype(np.int16)


def _padded(stored: Stored, one: CtSlice) -> NDArray[np.bool_] | None:
    """Pixels that hold the padding value and are connected with the border; None when clipping does the same.

    Some series pad with a value that tissue has as well (0, with an intercept of 0 or -1000), with one that needs more
    bits than are stored, or carry a wrong tag: the connection with the border keeps holes from being punched into the
    patient.
    """
    if one.padding is None:
        return None
    ends = in_use(np.array(one.padding, stored.dtype), one)
    if (ends * one.slope + one.intercept).max() <= AIR_HU:
        return None
    found = (stored >= one.padding[0]) & (stored <= one.padding[1])
    return connected_with_border(found) if found.any() else None


def connected_with_border(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the pixels that are true, (row, column), those that hang together with one at the image's border."""
    from scipy import ndimage  # slow to import, and few images need it

    regions, _ = ndimage.label(found)
    at_border = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    return np.isin(regions, at_border[at_border > 0])
