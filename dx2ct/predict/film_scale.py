"""Millimetres of a DICOM film: the size of its pixels, where that size holds, and how far source and patient were."""

from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from drr.ct.dicom_parse import text
from dx2ct.predict.xray import SQUARE

# The first that a file has is taken: at the detector the scale is exact, in the patient it holds at one depth.
_SPACINGS = ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing")
_DISTANCES = {
    "sid_mm": "DistanceSourceToDetector",
    "sod_mm": "DistanceSourceToPatient",
    "magnification": "EstimatedRadiographicMagnificationFactor",
}
_LEAST = 0.5  # of a pixel at the detector: nobody is magnified twice
TAGS = ("PixelAspectRatio", "PixelSpacingCalibrationType", *_SPACINGS, *_DISTANCES.values())


def spacing_of(header: Dataset) -> tuple[dict[str, object], list[str], tuple[float, float, str]]:
    """Spacing of square pixels in mm, for the record; notes; a pixel's height and width in one unit, and whence.

    spacing_at: `patient` where PixelSpacing was calibrated to it (DICOM PS3.3 10.7), else `detector`.
    """
    aspect, notes = _positive(header, "PixelAspectRatio"), _contradicting(header)
    for keyword in _SPACINGS:
        sides = _positive(header, keyword)
        if sides is None:
            if (value := header.get(keyword)) not in (None, ""):
                said = "\\".join(map(str, np.atleast_1d(value)))
                notes.append(f"{keyword} {said[:40]} is no size of a pixel: left out")
            continue
        row, column = sides
        size = f"{row:g} x {column:g}"
        if aspect and abs(aspect[0] / aspect[1] / (row / column) - 1) > SQUARE:
            notes.append(
                f"PixelAspectRatio {aspect[0]:g}\\{aspect[1]:g} contradicts {keyword}, which was followed: "
                "look at --preview"
            )
        step = min(sides) if abs(row / column - 1) > SQUARE else None
        calibration = text(header, "PixelSpacingCalibrationType").upper() if keyword == "PixelSpacing" else ""
        found: dict[str, object] = {
            "spacing_mm": [step, step] if step else [row, column],
            "spacing_from": f"{keyword}, {calibration}" if calibration else keyword,
            "spacing_at": "patient" if calibration in ("GEOMETRY", "FIDUCIAL") else "detector",
        }
        return found, notes, (row, column, f"{keyword} {size} mm")
    missing: dict[str, object] = {"spacing_mm": None, "spacing_from": None}
    row, column = aspect or (1.0, 1.0)
    return missing, notes, (row, column, f"PixelAspectRatio {row:g}\\{column:g}")


def _contradicting(header: Dataset) -> list[str]:
    """A line where the two sizes of a pixel are no detector's and no patient's: the patient is before the detector."""
    found = [sides for keyword in _SPACINGS[:2] if (sides := _positive(header, keyword))]
    if len(found) < 2 or all(
        _LEAST <= patient / detector <= 1 + SQUARE for detector, patient in zip(*found, strict=True)
    ):
        return []
    sizes = (f"{keyword} {row:g} x {column:g} mm" for keyword, (row, column) in zip(_SPACINGS, found, strict=False))
    return [
        f"{' and '.join(sizes)} contradict each other, a pixel in the patient is {_LEAST:g} to 1 of one at the "
        "detector; the first was followed: --spacing-mm VIEW:MM"
    ]


def distances_of(header: Dataset) -> dict[str, float]:
    """What the file says of source, patient and detector, for the record; place.py judges it."""
    values = {name: header.get(keyword) for name, keyword in _DISTANCES.items()}
    found = {name: float(value) for name, value in values.items() if value not in (None, "")}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _positive(header: Dataset, keyword: str) -> tuple[float, float] | None:
    value: Any = header.get(keyword)
    sides = () if value in (None, "") else tuple(float(one) for one in np.atleast_1d(value))
    return (sides[0], sides[1]) if len(sides) == 2 and 0 < min(sides) <= max(sides) < np.inf else None
