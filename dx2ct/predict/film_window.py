"""A DICOM film through its lookup tables and windows (PS3.3 C.11.1 and C.11.2).

They are applied here: pydicom knows no 12-bit modality LUT, overflows in a table of 8 bits, and turns the film of a
negative RescaleSlope into its negative when it is windowed.
"""

from collections.abc import Iterator
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from drr.ct.dicom_parse import text
from drr.errors import InputError

TAGS = ("WindowCenter", "WindowWidth", "VOILUTFunction")


def through_voi(
    film: NDArray[Any], header: Dataset, inside: NDArray[np.bool_], little: bool
) -> tuple[NDArray[Any], list[str], list[str]]:
    """The film through the first VOI LUT, or the first window that is one."""
    tables = header.get("VOILUTSequence")
    if tables:
        return looked_up(film, tables[0], little), [f"VOI LUT, the first of {len(tables)}"], []
    notes = []
    windows = list(_windows(header))
    function = text(header, "VOILUTFunction").upper() or "LINEAR"
    for number, (centre, width) in enumerate(windows):
        name = f"window {centre:g}/{width:g}"
        least = 1 if function == "LINEAR" else 0
        if not (math.isfinite(centre) and math.isfinite(width)) or width < least or (least == 0 and width == 0):
            wanted = "1 or more" if least else "more than 0"
            notes.append(f"{name} is none, its width must be {wanted} (PS3.3 C.11.2.1): left out, look at --preview")
            continue
        through = _windowed(film, centre, width, function)
        if np.ptp(through[inside]) == 0:
            notes.append(f"{name} leaves one grey value: left out, look at --preview")
            continue
        which = "the first" if number == 0 else f"number {number + 1}"
        return through, [f"{name}, {which} of {len(windows)}"], notes
    return film, [], notes


def looked_up(film: NDArray[Any], item: Dataset, little: bool) -> NDArray[Any]:
    """Through the table of an item of ModalityLUTSequence or VOILUTSequence (PS3.3 C.11.1.1.1).

    The entries are as wide as the data says: 8 bits, two in a word, or 16, of which fewer may be used.
    """
    entries, first, _ = (int(value) for value in item.LUTDescriptor)
    entries = entries or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        wide = len(data) >= 2 * entries
        table = np.frombuffer(data, ("<u2" if little else ">u2") if wide else "u1")
    else:
        table = np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF
    if len(table) < entries:
        raise InputError(f"a lookup table holds {len(table)} of {entries} entries: fetch it again")
    if first > 2**15 - 1 and film.min() < 0:  # written unsigned, of signed pixels
        first -= 2**16
    index = np.clip(np.rint(film).astype(np.int32) - first, 0, entries - 1)
    return np.asarray(table[:entries].astype(np.float32)[index])


def _windowed(film: NDArray[Any], centre: float, width: float, function: str) -> NDArray[Any]:
    """[0, 1]; PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID) and C.11.2.1.3.2 (LINEAR_EXACT)."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (film - centre) / width, -700, 700))))
    if function not in ("LINEAR", "LINEAR_EXACT"):
        raise InputError(f"VOILUTFunction {function[:20]}: LINEAR, LINEAR_EXACT and SIGMOID are known")
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return np.asarray(film > centre, np.float32)
    return np.asarray(np.clip((film - centre) / width + 0.5, 0, 1))


def _windows(header: Dataset) -> Iterator[tuple[float, float]]:
    centres, widths = (header.get(name) for name in ("WindowCenter", "WindowWidth"))
    if centres in (None, "") or widths in (None, ""):
        return
    for centre, width in zip(np.atleast_1d(centres), np.atleast_1d(widths), strict=False):
        yield float(centre), float(width)
