"""One X-ray as a file stores it, and what any of them must be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.predict.turn import AS_IT_IS, Turn

MIN_SIDE, MAX_SIDE = 64, 8192
MAX_PIXEL_BYTES = 2**28  # of a decoded image: 8192 x 8192 pixels of 16 bits, or of three channels of 8
MAX_ASPECT = 10
SQUARE = 0.01  # by how much a pixel's sides may differ


@dataclass(frozen=True, eq=False)
class Xray:
    """An X-ray as its file stores it, bone bright where the file says which way it is.

    pixels: (row, column) float32. kind: `integrals`, dimensionless and exact, or `film`, grey in arbitrary units.
    facts: what the file says of itself, for the record. notes: what the user should know of it. blank: True where there
    is no image: padding, shutter, collimated border. directions: where rows and columns run to, as PatientOrientation
    says. turn: what turns it as its view must lie. patient: PatientID, which no record gets.
    """

    pixels: NDArray[np.float32]
    kind: Literal["film", "integrals"]
    name: str
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    blank: NDArray[np.bool_] | None = None
    directions: tuple[str, str] | None = None
    turn: Turn = AS_IT_IS
    patient: str = field(default="", repr=False)

    def did(self, step: str, *notes: str, **changes: Any) -> "Xray":
        """The X-ray after one more step, which the record and the notes tell."""
        steps = [*self.facts.get("steps", []), step]  # type: ignore[misc]
        return replace(self, facts={**self.facts, "steps": steps}, notes=(*self.notes, *notes), **changes)


def printable(text: str) -> str:
    """One line that does nothing to a terminal, whatever a file's header holds."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()


def require_size(rows: int, columns: int, pixel_bytes: int = 1) -> None:
    """InputError for an image too small to be a chest film, or larger than any detector's or than memory should hold.

    pixel_bytes: of all channels of a decoded pixel.
    """
    if min(rows, columns) < MIN_SIDE or max(rows, columns) > MAX_SIDE:
        raise InputError(f"{columns} x {rows} pixels: a chest X-ray has {MIN_SIDE} to {MAX_SIDE} a side")
    if rows * columns * pixel_bytes > MAX_PIXEL_BYTES:
        size = f"{columns} x {rows} pixels of {pixel_bytes} bytes"
        raise InputError(f"{size} are more than {MAX_PIXEL_BYTES // 2**20} MiB: save it in grey of 16 bits, or smaller")


def require_grey_levels(pixels: NDArray[np.float32]) -> None:
    """InputError for an image that holds no picture."""
    if not np.isfinite(pixels).all():
        raise InputError("holds NaN or infinite values: replace them")
    if float(pixels.max()) <= float(pixels.min()):
        raise InputError(f"all pixels have the one value {float(pixels.flat[0]):g}: there is no image in it")


def with_square_pixels(xray: Xray, height: float, width: float, why: str) -> Xray:
    """The X-ray resampled, linearly, to the smaller of a pixel's sides; height and width in one unit, any.

    Raises InputError where the sides are too unlike to be believed, or the image becomes too large.
    """
    ratio = height / width
    if abs(ratio - 1) <= SQUARE:
        return xray
    if not 1 / MAX_ASPECT <= ratio <= MAX_ASPECT:
        raise InputError(f"{why}: pixels so far from square are no X-ray's, resample it first")
    rows, columns = xray.pixels.shape
    size = (columns, round(rows * ratio)) if ratio > 1 else (round(columns / ratio), rows)
    require_size(size[1], size[0], 4)
    blank = xray.blank
    if blank is not None:
        blank = cv2.resize(blank.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    pixels = np.asarray(cv2.resize(xray.pixels, size, interpolation=cv2.INTER_LINEAR))
    step = f"pixels made square by {why}: {columns} x {rows} became {size[0]} x {size[1]}"
    return xray.did(step, f"{step} (--crop counts these)", pixels=pixels, blank=blank)
