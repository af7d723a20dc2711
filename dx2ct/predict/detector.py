"""The detector behind an image: what is done to pixels is done to a drr.View, so that they stay where they were taken.

A point of the patient falls on the same pixel, by its content, before and after.
"""

from dataclasses import replace
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.geometry import Vector, View
from dx2ct.predict.turn import Turn

FINEST = 16  # pixels of a resampled film to one of the network's: their mean is that of all the film's pixels
SAME_PIXELS = 0.01


def cropped(view: View, left: float, top: float, right: float, bottom: float) -> View:
    """The view of columns left to right and rows top to bottom, exclusive; what lies beyond the image is padding."""
    corner = np.array(view.corner_mm) + left * np.array(view.column_step_mm) + top * np.array(view.row_step_mm)
    return replace(view, corner_mm=_vector(corner), rows=round(bottom - top), columns=round(right - left))


def turned(view: View, turn: Turn) -> View:
    """The view of the image that `turn` makes of its image."""
    corner, column, row = (np.array(v) for v in (view.corner_mm, view.column_step_mm, view.row_step_mm))
    rows, columns = view.rows, view.columns
    if turn.transposed:
        column, row, rows, columns = row, column, columns, rows
    if turn.up_down:
        corner, row = corner + (rows - 1) * row, -row
    if turn.left_right:
        corner, column = corner + (columns - 1) * column, -column
    return View(view.source_mm, _vector(corner), _vector(column), _vector(row), rows, columns)


def facing(training: View, sid_mm: float, odd_mm: float, size: tuple[int, int], pixel_mm: tuple[float, float]) -> View:
    """The training's exposure from another distance, around the origin: its directions, the central ray in the middle.

    sid_mm: from source to detector. odd_mm: from the isocentre to the detector. size: (rows, columns).
    """
    axis = np.array(training.source_mm) / np.linalg.norm(training.source_mm)
    column, row = (np.array(step) / np.linalg.norm(step) for step in (training.column_step_mm, training.row_step_mm))
    column, row = column * pixel_mm[1], row * pixel_mm[0]
    corner = -odd_mm * axis - (size[1] - 1) / 2 * column - (size[0] - 1) / 2 * row
    return View(_vector((sid_mm - odd_mm) * axis), _vector(corner), _vector(column), _vector(row), *size)


def magnification(view: View) -> float:
    """Of what lies in the isocentre, the origin."""
    return view.source_detector_mm / float(np.linalg.norm(view.source_mm))


def field_mm(view: View) -> tuple[float, float]:
    """Height and width of what the image shows in the plane of the isocentre."""
    height, width = view.pixel_mm
    return view.rows * height / magnification(view), view.columns * width / magnification(view)


def edges_in(film: View, window: View) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge of a window in the same plane, in pixels of the film from its own edges."""
    column, row = np.array(film.column_step_mm), np.array(film.row_step_mm)
    from_corner = np.array(window.corner_mm) - film.corner_mm
    wide, high = (
        float(np.dot(step, along) / np.dot(along, along))
        for step, along in ((window.column_step_mm, column), (window.row_step_mm, row))
    )
    left = float(from_corner @ column / (column @ column)) + 0.5 - wide / 2
    top = float(from_corner @ row / (row @ row)) + 0.5 - high / 2
    return left, top, left + wide * window.columns, top + high * window.rows


def shown_in(image: NDArray[np.float32], film: View, window: View, pixels: int) -> tuple[NDArray[np.float32], float]:
    """What the film shows in the window, a square image of a multiple of `pixels`, and how much of it the film covers.

    Air, 0, where there is no film. The image itself where it fills the window.
    """
    left, top, right, bottom = edges_in(film, window)
    rows, columns = image.shape
    if max(abs(left), abs(top), abs(right - columns), abs(bottom - rows)) < SAME_PIXELS:
        return image, 1.0
    side = pixels * min(FINEST, math.ceil(max(right - left, bottom - top) / pixels))
    wide, high = (right - left) / side, (bottom - top) / side
    place = np.array([[wide, 0, left + wide / 2 - 0.5], [0, high, top + high / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(image, place, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    inside = max(min(right, columns) - max(left, 0), 0) * max(min(bottom, rows) - max(top, 0), 0)
    return np.asarray(part), inside / ((right - left) * (bottom - top))


def _vector(array: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in array)
    return x, y, z
