"""Collimated borders that no element of the header names: strips of one grey value along the sides of a film."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dx2ct.predict.framing import Framing
from dx2ct.predict.xray import Xray

# Of a row or column, the part that must have the border's value; of the range of grey values, how far from the
# brightest it may be, and how much darker the image must be right beside it; of a side, how much of it an image covers.
WHOLE, NEAR, EDGE, IMAGE = 0.98, 0.01, 0.1, 0.3
_NESTED = 2
_BESIDE = 3  # pixels from the edge that a blurred edge may take


def without_border(view: str, xray: Xray, how: Framing) -> Xray:
    """A film whose borders are known as blank: what is bright becomes air, and none counts in the grey values' range.

    The strips are looked for in what the crop leaves; a dark one around a bright one and the other way round, too.
    """
    if xray.kind != "film":
        return xray
    rows, columns = xray.pixels.shape
    left, top, right, bottom = how.crop or (0, 0, columns, rows)
    part = xray.pixels[top:bottom, left:right]
    if part.size == 0:
        return xray  # of a crop that is refused later
    for _ in range(_NESTED):
        whole = np.zeros(xray.pixels.shape, bool) if xray.blank is None else xray.blank.copy()
        known = whole[top:bottom, left:right]
        bright, dark = (image_box(part, known), image_box(-part, known))[:: -1 if how.invert else 1]
        box = bright or dark
        if box is None:
            break
        before = np.count_nonzero(known)
        inside = known[box[1] : box[3], box[0] : box[2]].copy()
        known[:] = True
        known[box[1] : box[3], box[0] : box[2]] = inside
        if np.count_nonzero(known) == before:  # the header has told already
            break
        place = ",".join(str(at + start) for at, start in zip(box, (left, top, left, top), strict=True))
        step = f"{'bright' if bright else 'dark'} border outside {place} made air"
        xray = replace(xray.did(step, f"{step}: to leave it out, --crop {view}:{place}"), blank=whole)
    return xray


def box_of(xray: Xray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is not known as blank, right and bottom exclusive."""
    rows, columns = xray.pixels.shape
    if xray.blank is None or xray.blank.all():
        return 0, 0, columns, rows
    across, down = (np.flatnonzero(~xray.blank.all(axis=axis)) for axis in (0, 1))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def image_box(pixels: NDArray[np.float32], blank: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom inside borders of the highest value, right and bottom exclusive; None without any."""
    inside = pixels[~blank]
    if inside.size == 0:
        return None
    low, high = float(inside.min()), float(inside.max())
    bright = (pixels >= high - NEAR * (high - low)) | blank
    strips = [
        _strip(bright, pixels, axis, from_end, EDGE * (high - low)) for axis in (1, 0) for from_end in (False, True)
    ]
    (left, right), (top, bottom) = strips[:2], strips[2:]
    rows, columns = pixels.shape
    box = left, top, columns - right, rows - bottom
    if not any(strips) or box[2] - box[0] < IMAGE * columns or box[3] - box[1] < IMAGE * rows:
        return None
    return box


def _strip(bright: NDArray[np.bool_], pixels: NDArray[np.float32], axis: int, from_end: bool, edge: float) -> int:
    """How many columns (axis 1) or rows (axis 0) from one end are border: bright all along, and then a sharp edge."""
    if axis == 0:
        bright, pixels = bright.T, pixels.T
    if from_end:
        bright, pixels = bright[:, ::-1], pixels[:, ::-1]
    is_border = bright.mean(axis=0) >= WHOLE
    width = int(np.argmin(is_border)) if not is_border.all() else len(is_border)
    if width == 0 or width + _BESIDE > len(is_border):
        return 0
    drop = np.median(pixels[:, width - 1]) - np.median(pixels[:, width + _BESIDE - 1])
    return width if drop >= edge else 0
