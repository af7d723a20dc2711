"""NIfTI, MetaImage and NRRD files as they are: read only when the file itself says where the patient is.

Headers are read here and not by ITK, which replaces a missing spacing by 1 mm and a missing orientation by the
identity, chooses between contradicting statements, opens any file that a header names, and passes over checksums, all
without a word; damaged headers end its process. Only MetaImage may leave the orientation out: its own definition makes
that the identity.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
import struct
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray

from drr.ct.consistency import Place, place_of
from drr.ct.limits import SUFFIXES
from drr.ct.metaimage import read_metaimage
from drr.ct.nifti import read_nifti
from drr.ct.nrrd import read_nrrd
from drr.ct.restated import Restated
from drr.ct.sources import note
from drr.ct.voxels import blocks, require_bounded, Stored
from drr.errors import InputError

_READERS: dict[str, Callable[[Path], Stored]] = {
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".hdr": read_nifti,
    ".nrrd": read_nrrd,
    ".nhdr": read_nrrd,
}


def read_as_stored(path: Path) -> tuple[NDArray[Any], Place]:
    """The values of a volume file (z, y, x) as they are, floats where the header scales them, and their place.

    Raises InputError, naming the path, for a file without spacing or orientation, whose geometry contradicts itself or
    is sheared, that is damaged or too large, or is not one 3-D scalar image.
    """
    with named(path):
        stored, place = read_header(path)
        dtype = stored.dtype.newbyteorder("=")
        if stored.is_scaled:
            dtype = np.dtype(np.float64 if stored.dtype.itemsize > 2 else np.float32)
        array, at = np.empty(stored.voxels, dtype), 0
        for block in values(stored):
            array[at : at + len(block)] = block
            at += len(block)
    tell(path, stored, place)
    return array.reshape(stored.shape[::-1]), place


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors in one line that begins with the path."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path}: its packed voxels are damaged ({error}): fetch it again") from None
    except (OSError, ValueError, OverflowError, struct.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not a readable volume file ({reason}): fetch it again") from None


def read_header(path: Path, restated: Restated | None = None) -> tuple[Stored, Place]:
    """What the header promises, and the place that it states; InputError without the path.

    restated: what holds instead of it.
    """
    suffix = max((one for one in SUFFIXES if path.name.lower().endswith(one)), key=len, default=None)
    if suffix is None:
        raise InputError(f"not a volume file, its name ends in none of {', '.join(SUFFIXES)}")
    reader = _READERS[suffix]
    if restated and restated.states_place and reader is read_nifti:
        stored = read_nifti(path, needs_place=False)
    else:
        stored = reader(path)
    require_bounded(stored)
    stored = restated.of(stored) if restated else stored
    return stored, place_of(stored.affine_mm, stored.shape)


def values(stored: Stored) -> Iterator[NDArray[Any]]:
    """The values meant, in 1-D blocks, in the byte order of this machine."""
    for block in blocks(stored):
        block = block.astype(block.dtype.newbyteorder("="), copy=False)
        if stored.is_scaled:
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.asarray(block * np.float64(stored.slope) + stored.intercept)
        yield block


def tell(path: Path, stored: Stored, place: Place) -> None:
    """Note what was made of an imperfect header."""
    for remark in (*stored.remarks, *place.remarks):
        note(f"{path}: {remark}")
