"""An X-ray shown as the training's are: what the training's field holds of a patient, whatever beam it was taken with.

Features have the size that they had in training then. A method that takes geometry as data is told the true exposure.
"""

import numpy as np
from numpy.typing import NDArray

from drr.geometry import View
from dx2ct.predict.border import box_of
from dx2ct.predict.detector import cropped, facing, field_mm, magnification, shown_in, turned
from dx2ct.predict.framing import Framing
from dx2ct.predict.place import LONGER_SIDE_MM, Place, place_of
from dx2ct.predict.xray import Xray

_COVERED = 0.9  # of the training's field: less is said


def exposure_of(xray: Xray, how: Framing, training: View, place: Place) -> View:
    """Of the X-ray's image after crop and turn, around the origin: the central ray meets the middle of the whole image.

    Or of its field, along an axis that has borders at both ends: one end alone may be air that was taken for a border.
    """
    rows, columns = xray.pixels.shape
    turn = xray.turn.then(how.turn)
    upright = facing(training, place.sid_mm, place.odd_mm, (rows, columns), place.pixel_mm)
    if turn.transposed:
        upright = facing(training, place.sid_mm, place.odd_mm, (columns, rows), place.pixel_mm[::-1])
    as_stored = turned(upright, turn.undone)
    left, top, right, bottom = box_of(xray)
    across = (left + right - columns) / 2 if left > 0 and right < columns else 0
    down = (top + bottom - rows) / 2 if top > 0 and bottom < rows else 0
    as_stored = cropped(as_stored, -across, -down, columns - across, rows - down)
    return turned(cropped(as_stored, *(how.crop or (0, 0, columns, rows))), turn)


def placed(
    view: str, image: NDArray[np.float32], xray: Xray, how: Framing, training: View, pixels: int
) -> tuple[NDArray[np.float32], Place, View, list[str]]:
    """The image that a network of `pixels` a side is given, where it was taken, its exposure, and notes.

    image: the X-ray's after crop and turn. training: the exposure that the network knows. Both are returned as they are
    where the X-ray is one of the training's. Raises InputError for what cannot be of a chest.
    """
    place = place_of(view, xray, how, training)
    film = exposure_of(xray, how, training, place)
    size = training.rows, training.columns
    enlarged = place.sid_mm / (place.sid_mm - place.odd_mm) / magnification(training)
    height, width = (side * enlarged for side in training.pixel_mm)
    window = facing(training, place.sid_mm, place.odd_mm, size, (height, width))
    shown, covered = shown_in(image, film, window, pixels)
    if place.is_training:
        return shown, place, training, []
    return shown, place, window, _notes(view, place, window, covered)


def _notes(view: str, place: Place, window: View, covered: float) -> list[str]:
    height, width = field_mm(window)
    notes = [f"{place}; shown are {width:.0f} x {height:.0f} mm of the patient, as in the training"]
    if place.guessed:
        wrong = f"of a side of 350 mm the patient becomes {LONGER_SIDE_MM / 350 - 1:.0%} too large"
        notes.insert(
            0, f"NO SCALE: its pixel spacing is a guess, {place.spacing_from}, {wrong}: --spacing-mm {view}:MM"
        )
    if covered < _COVERED:
        notes.append(f"covers {covered:.0%} of what the training's X-rays show, the rest is taken for air")
    return notes
