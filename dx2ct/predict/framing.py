"""What a user says of an X-ray's image, and the image turned as its view must lie."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.data.film import standardised
from dx2ct.predict.turn import AS_IT_IS, MIRRORED, QUARTERS, Turn
from dx2ct.predict.xray import require_grey_levels, Xray

_FORMS = {"crop": "VIEW:LEFT,TOP,RIGHT,BOTTOM", "rotate": "VIEW:DEGREES"}  # of the others VIEW alone
_LENGTHS = ("spacing_mm", "sid_mm", "odd_mm")


@dataclass(frozen=True)
class Framing:
    """What is done to one X-ray, in this order, and what is said of the place where it was taken.

    crop: left, top, right, bottom in pixels of the file as a viewer shows it, square ones where the file has others
    (`with_square_pixels`), right and bottom exclusive. rotate:
    degrees clockwise, a multiple of 90, after the turn that the file's header asks for. flip: left to right. invert:
    bone is dark in the file. spacing_mm: of its pixels at the detector; sid_mm: from source to detector; odd_mm: from
    the middle of the patient to the detector; None: as the file says, or as is usual (place.py).
    """

    crop: tuple[int, int, int, int] | None = None
    rotate: int = 0
    flip: bool = False
    invert: bool = False
    spacing_mm: float | None = None
    sid_mm: float | None = None
    odd_mm: float | None = None

    def __post_init__(self) -> None:
        if self.rotate % 90:
            raise InputError(f"rotate {self.rotate}: a multiple of 90 degrees")
        for name in _LENGTHS:
            if (length := getattr(self, name)) is not None and not 0 < length < math.inf:
                raise InputError(f"{name} {length:g}: a length above 0 mm")

    @property
    def moves(self) -> bool:
        """True when pixels change their places."""
        return self.crop is not None or bool(self.turn)

    @property
    def turn(self) -> Turn:
        """Rotation and flip in one."""
        return QUARTERS[self.rotate // 90 % 4].then(MIRRORED if self.flip else AS_IT_IS)

    @property
    def places(self) -> bool:
        """True when something is said of where it was taken."""
        return any(getattr(self, name) is not None for name in _LENGTHS)


def parse_framings(
    views: Sequence[str],
    crop: Sequence[str] = (),
    rotate: Sequence[str] = (),
    flip: Sequence[str] = (),
    invert: Sequence[str] = (),
    spacing_mm: Sequence[str] = (),
    sid_mm: Sequence[str] = (),
    odd_mm: Sequence[str] = (),
) -> dict[str, Framing]:
    """The framing of every view from the command line's VIEW, VIEW:VALUE or, of lengths for all views, VALUE words."""
    words: dict[str, dict[str, Any]] = {view: {} for view in views}
    for option, values in (("crop", crop), ("rotate", rotate), ("flip", flip), ("invert", invert)):
        for word in values:
            view, colon, value = word.partition(":")
            if view not in words or bool(colon) != (option in _FORMS):
                form = _FORMS.get(option, "VIEW")
                raise InputError(f"--{option} {word}: say {form}, where VIEW is {' or '.join(views)}")
            if option in words[view]:
                raise InputError(f"--{option} {word}: {view} has an --{option} already: say it once")
            words[view][option] = _whole_numbers(option, word, value) if colon else True
    for option, values in zip(_LENGTHS, (spacing_mm, sid_mm, odd_mm), strict=True):
        if len({_view_of(option, word) for word in values}) < len(values):
            name = option.replace("_", "-")
            raise InputError(f"--{name} {' and '.join(values)}: said twice of one view, or of all: say it once")
        for word in sorted(values, key=lambda word: ":" in word):  # of one view over that of all
            view, colon, value = word.rpartition(":")
            if colon and view not in words:
                form = f"--{option.replace('_', '-')} {word}: say VIEW:MM or MM"
                raise InputError(f"{form}, where VIEW is {' or '.join(views)}")
            for said in [view] if colon else views:
                words[said][option] = _length(option, word, value)
    return {view: Framing(**said) for view, said in words.items()}


def over(option: str, words: Sequence[str], of_all: Sequence[str]) -> list[str]:
    """Words of an option that are said of one patient, and of those for all patients the ones of other views."""
    names = {_view_of(option, word) for word in words}
    return [*(word for word in of_all if _view_of(option, word) not in names), *words]


def _view_of(option: str, word: str) -> str:
    """The view of a VIEW, VIEW:VALUE or VALUE word, empty for a length of all views."""
    return word.rpartition(":")[0] if option in _LENGTHS else word.partition(":")[0]


def oriented(xray: Xray, how: Framing) -> NDArray[np.float32]:
    """The image cropped and turned, (row, column): a film in [0, 1], bone bright; line integrals as they are.

    A film's grey is in arbitrary units: it is standardised, after the crop, as training's films are
    (dx2ct/data/film.py). Raises InputError for a crop outside the image.
    """
    if xray.kind == "integrals" and how.invert:
        raise InputError(f"{xray.name}: line integrals have bone bright already: leave --invert out")
    pixels, blank = _cropped(xray, how.crop)
    if xray.kind == "film":
        try:
            pixels = standardised(pixels, blank, inverted=how.invert)
        except InputError as error:
            raise InputError(f"{xray.name}: {error}") from None
    return np.ascontiguousarray(xray.turn.then(how.turn).of(pixels))


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


def _length(option: str, word: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"--{option.replace('_', '-')} {word}: a number of mm, alone or after VIEW:") from None


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
