"""Which pixels of a DICOM film are image, by shutters and collimator, and which way rows and columns run."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from drr.ct.dicom_parse import text, whole

_FLIPS = ("FieldOfViewHorizontalFlip", "FieldOfViewRotation")
_EDGES = ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
_MASKS = ("Shutter", "Collimator")  # DICOM PS3.3 C.7.6.11 and C.8.7.3: the same elements under two names
_SMALLEST = 0.05  # of the image that a shutter may leave; one that leaves less is a mistake
TAGS = (
    *("ViewPosition", "PatientOrientation"),
    *_FLIPS,
    *(f"{mask}{name}" for mask in _MASKS for name in ("Shape", *_EDGES)),
    *("CenterOfCircularShutter", "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter"),
    *("CenterOfCircularCollimator", "RadiusOfCircularCollimator", "VerticesOfThePolygonalCollimator"),
)


def directions_of(header: Dataset) -> tuple[tuple[str, str] | None, list[str]]:
    """Where rows and columns run to, each a letter of L, R, A, P, H, F; None where PatientOrientation does not say."""
    value = header.get("PatientOrientation")
    parts = [value] if isinstance(value, str) else list(value or ())
    letters = [str(part).strip().upper()[:1] for part in parts]
    if len(letters) == 2 and all(letter in tuple("LRAPHF") for letter in letters):
        return (letters[0], letters[1]), []
    notes = []
    if any(letters):
        said = "\\".join(str(part) for part in parts)[:40]
        notes.append(f"PatientOrientation {said} says no two directions: look at --preview (--flip, --rotate)")
    if text(header, "FieldOfViewHorizontalFlip").upper() == "YES":
        notes.append(
            "FieldOfViewHorizontalFlip is YES, it was mirrored after it was taken, and no PatientOrientation says how "
            "it lies: if the sides are wrong in --preview, --flip"
        )
    if whole(header, "FieldOfViewRotation") % 360:
        angle = whole(header, "FieldOfViewRotation")
        notes.append(f"FieldOfViewRotation is {angle} degrees: if it lies wrong in --preview, --rotate")
    return None, notes


def outside_shutters(header: Dataset) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """True outside the display shutter and the collimator, None where there is none; what was done."""
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    inside, steps = np.ones((rows, columns), bool), []
    for mask in _MASKS:
        shapes = header.get(f"{mask}Shape")
        for shape in [shapes] if isinstance(shapes, str) else list(shapes or ()):
            area = _area(header, mask, shape.strip().upper(), rows, columns)
            if area is None or area.all():
                continue
            if np.count_nonzero(area & inside) < _SMALLEST * area.size:
                continue
            inside &= area
            steps.append(f"what is outside the {mask.lower()} ({shape.strip().lower()}) made air")
    return (None, []) if inside.all() else (~inside, steps)


def _area(header: Dataset, mask: str, shape: str, rows: int, columns: int) -> NDArray[np.bool_] | None:
    """Inside a shutter; None for a shape that is not known or not whole. Places count from 1, row before column."""
    y, x = np.ogrid[1 : rows + 1, 1 : columns + 1]
    if shape == "RECTANGULAR":
        values = [header.get(f"{mask}{edge}") for edge in _EDGES]
        if any(value is None or value == "" for value in values):
            return None
        left, right, top, bottom = (int(value) for value in values)
        # the edge itself is no image, but where it is the image's own
        return np.asarray(
            ((x > left) | (left <= 1))
            & ((x < right) | (right >= columns))
            & ((y > top) | (top <= 1))
            & ((y < bottom) | (bottom >= rows))
        )
    if shape == "CIRCULAR":
        centre, radius = _integers(header, f"CenterOfCircular{mask}"), whole(header, f"RadiusOfCircular{mask}")
        if len(centre) != 2 or radius <= 0:
            return None
        return np.asarray((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2)
    if shape == "POLYGONAL":
        places = _integers(header, f"VerticesOfThePolygonal{mask}")
        if len(places) < 6 or len(places) % 2:
            return None
        vertices = np.array(places, np.int32).reshape(-1, 2)[:, ::-1] - 1
        return np.asarray(cv2.fillPoly(np.zeros((rows, columns), np.uint8), [vertices], 1), bool)
    return None


def _integers(header: Dataset, keyword: str) -> list[int]:
    value: Any = header.get(keyword)
    return [] if value in (None, "") else [int(one) for one in np.atleast_1d(value)]
