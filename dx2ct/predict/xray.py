"""One X-ray as a file stores it, and what any of them must be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError

MIN_SIDE, MAX_SIDE = 64, 8192


@dataclass(frozen=True, eq=False)
class Xray:
    """An X-ray as its file stores it, bone bright where the file says which way it is.

    pixels: (row, column) float32. kind: `integrals`, dimensionless and exact, or `film`, grey in arbitrary units.
    facts: what the file says of itself, for the record. notes: what the user should know of it.
    """

    pixels: NDArray[np.float32]
    kind: Literal["film", "integrals"]
    name: str
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()


def require_size(rows: int, columns: int) -> None:
    """InputError for an image too small to be a chest film, or larger than any detector."""
    if min(rows, columns) < MIN_SIDE or max(rows, columns) > MAX_SIDE:
        raise InputError(f"{columns} x {rows} pixels: a chest X-ray has {MIN_SIDE} to {MAX_SIDE} a side")


def require_grey_levels(pixels: NDArray[np.float32]) -> None:
    """InputError for an image that holds no picture."""
    if not np.isfinite(pixels).all():
        raise InputError("holds NaN or infinite values: replace them")
    if float(pixels.max()) <= float(pixels.min()):
        raise InputError(f"all pixels have the one value {float(pixels.flat[0]):g}: there is no image in it")
