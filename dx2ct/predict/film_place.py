"""Where the pixels of a DICOM film lie: spacing, shutters and collimator, and which way rows and columns run."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from drr.ct.dicom_parse import text, whole
from dx2ct.predict.xray import SQUARE

_SPACINGS = {
    "PixelSpacing": "as the file gives it, perhaps calibrated to the patient",
    "ImagerPixelSpacing": "at the detector, larger than in the patient",
    "NominalScannedPixelSpacing": "of the scanned plate",
}
_FLIPS = ("FieldOfViewHorizontalFlip", "FieldOfViewRotation")
_EDGES = ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
_MASKS = ("Shutter", "Collimator")  # DICOM PS3.3 C.7.6.11 and C.8.7.3: the same elements under two names
_SMALLEST = 0.05  # of the image that a shutter may leave; one that leaves less is a mistake
TAGS = (
    *("ViewPosition", "PatientOrientation", "PixelAspectRatio", "PixelSpacingCalibrationType"),
    *_SPACINGS,
    *_FLIPS,
    *(f"{mask}{name}" for mask in _MASKS for name in ("Shape", *_EDGES)),
    *("CenterOfCircularShutter", "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter"),
    *("CenterOfCircularCollimator", "RadiusOfCircularCollimator", "VerticesOfThePolygonalCollimator"),
)


def spacing_of(header: Dataset) -> tuple[dict[str, object], list[str], tuple[float, float, str]]:
    """Spacing of square pixels in mm, for the record; notes; a pixel's height and width in one unit, and whence."""
    aspect = _positive(header, "PixelAspectRatio")
    for keyword, meaning in _SPACINGS.items():
        sides = _positive(header, keyword)
        if sides is None:
            continue
        row, column = sides
        size = f"{row:g} x {column:g}"
        notes = [f"pixels of {size} mm by {keyword} ({meaning})"]
        if aspect and abs(aspect[0] / aspect[1] / (row / column) - 1) > SQUARE:
            notes.append(
                f"PixelAspectRatio {aspect[0]:g}\\{aspect[1]:g} contradicts {keyword}, which was followed: "
                "look at --preview"
            )
        step = min(sides) if abs(row / column - 1) > SQUARE else None
        found: dict[str, object] = {"spacing_mm": [step, step] if step else [row, column], "spacing_from": keyword}
        return found, notes, (row, column, f"{keyword} {size} mm")
    missing: dict[str, object] = {"spacing_mm": None, "spacing_from": None}
    row, column = aspect or (1.0, 1.0)
    return missing, ["the file states no pixel spacing"], (row, column, f"PixelAspectRatio {row:g}\\{column:g}")


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


def _positive(header: Dataset, keyword: str) -> tuple[float, float] | None:
    value: Any = header.get(keyword)
    sides = () if value in (None, "") else tuple(float(one) for one in np.atleast_1d(value))
    return (sides[0], sides[1]) if len(sides) == 2 and 0 < min(sides) <= max(sides) < np.inf else None
