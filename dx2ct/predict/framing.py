"""From the image of a file to the square image that a network is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.predict.xray import require_grey_levels, Xray

PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Framing:
    """What is done to one X-ray, in this order.

    crop: left, top, right, bottom in pixels of the file as a viewer shows it, right and bottom exclusive. rotate:
    degrees clockwise, a multiple of 90, after the turn that the file's header asks for. flip: left to right. invert:
    bone is dark in the file.
    """

    crop: tuple[int, int, int, int] | None = None
    rotate: int = 0
    flip: bool = False
    invert: bool = False

    def __post_init__(self) -> None:
        if self.rotate % 90:
            raise InputError(f"rotate {self.rotate}: a multiple of 90 degrees")

    @property
    def moves(self) -> bool:
        """True when pixels change their places."""
        return self.crop is not None or self.rotate % 360 != 0 or self.flip


def parse_framings(
    views: Sequence[str], crop: Sequence[str], rotate: Sequence[str], flip: Sequence[str], invert: Sequence[str]
) -> dict[str, Framing]:
    """The framing of every view from the command line's VIEW or VIEW:VALUE words."""
    words: dict[str, dict[str, Any]] = {view: {} for view in views}
    for option, values in (("crop", crop), ("rotate", rotate), ("flip", flip), ("invert", invert)):
        for word in values:
            view, colon, value = word.partition(":")
            takes_value = option in ("crop", "rotate")
            if view not in words or bool(colon) != takes_value:
                form = {"crop": "VIEW:LEFT,TOP,RIGHT,BOTTOM", "rotate": "VIEW:DEGREES"}.get(option, "VIEW")
                raise InputError(f"--{option} {word}: say {form}, where VIEW is {' or '.join(views)}")
            words[view][option] = _whole_numbers(option, word, value) if takes_value else True
    return {view: Framing(**said) for view, said in words.items()}


def oriented(xray: Xray, how: Framing) -> NDArray[np.float32]:
    """The image cropped and turned, (row, column): a film in [0, 1], bone bright; line integrals as they are.

    A film's grey is in arbitrary units: its PERCENTILES, taken after the crop and of what is not blank, become 0 and 1
    and what lies beyond is clipped; what is blank is air, 0. Raises InputError for a crop outside the image.
    """
    if xray.kind == "integrals" and how.invert:
        raise InputError(f"{xray.name}: line integrals have bone bright already: leave --invert out")
    pixels, blank = _cropped(xray, how.crop)
    if xray.kind == "film":
        low, high = (float(value) for value in np.percentile(pixels if blank is None else pixels[~blank], PERCENTILES))
        if high <= low:
            raise InputError(f"{xray.name}: nearly all pixels have the one value {low:g}: there is no image in it")
        pixels = np.clip((pixels - np.float32(low)) / np.float32(high - low), 0, 1)
        pixels = 1 - pixels if how.invert else pixels
        if blank is not None:
            pixels[blank] = 0
    pixels = np.rot90(xray.turn.of(pixels), -how.rotate // 90)
    return np.ascontiguousarray(pixels[:, ::-1] if how.flip else pixels)


def squared(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image in the middle of a square; what is added is air, 0."""
    rows, columns = pixels.shape
    side = max(rows, columns)
    above, before = (side - rows) // 2, (side - columns) // 2
    return np.pad(pixels, ((above, side - rows - above), (before, side - columns - before)))


def resampled(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Averaged down to side x side pixels by area, as the training's X-rays are (dx2ct/data/scans.py)."""
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))


def _whole_numbers(option: str, word: str, value: str) -> int | tuple[int, ...]:
    count = 4 if option == "crop" else 1
    try:
        found = tuple(int(part) for part in value.split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        raise InputError(f"--{option} {word}: {count} whole number{'s' * (count > 1)} after the colon")
    return found if count > 1 else found[0]


def _cropped(
    xray: Xray, crop: tuple[int, int, int, int] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """The part of the image, and what of it is blank; None where nothing is."""
    if crop is None:
        return xray.pixels, xray.blank
    left, top, right, bottom = crop
    rows, columns = xray.pixels.shape
    if not (0 <= left < right <= columns and 0 <= top < bottom <= rows):
        raise InputError(f"{xray.name}: the crop {crop} does not lie inside its {columns} x {rows} pixels")
    part = xray.pixels[top:bottom, left:right]
    blank = None if xray.blank is None else xray.blank[top:bottom, left:right]
    try:
        if blank is not None and blank.all():
            raise InputError("there is no image in it")
        require_grey_levels(part)
    except InputError as error:
        raise InputError(f"{xray.name}: the crop {crop}: {error}") from None
    return part, blank
