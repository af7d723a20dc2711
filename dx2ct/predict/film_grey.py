"""Grey values of a DICOM film as a viewer shows them: modality LUT, VOI LUT or window, then MONOCHROME1's inversion.

In that order (DICOM PS3.4 N.2): an inversion before the window would window the wrong end.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from drr.ct.dicom_parse import text
from drr.errors import InputError
from dx2ct.predict.film_window import looked_up, through_voi
from dx2ct.predict.xray import require_grey_levels

TAGS = (
    *("PhotometricInterpretation", "PresentationLUTShape", "PresentationIntentType"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("PixelIntensityRelationship", "PixelIntensityRelationshipSign"),
)
Film = NDArray[np.float32]
_FLOOR = 1e-4  # of the brightest ray: what no detector tells from no ray at all


def shown(values: NDArray[Any], header: FileDataset, blank: NDArray[np.bool_]) -> tuple[Film, list[str], list[str]]:
    """The film, bone bright as the header tells it; what was done to get there; what the user should know.

    Where it is blank it is as dark as anywhere. Raises InputError for a film without grey levels.
    """
    if blank.all():
        raise InputError("is padding alone: there is no image in it")
    little = header.original_encoding[1] is not False
    film, steps, notes = _modality(values, header, little)
    film, done, said = through_voi(film, header, ~blank, little)
    steps, notes = [*steps, *done], [*notes, *said]
    raw = _for_processing(header)
    if raw and not done and _sign(header) == 1 and text(header, "PixelIntensityRelationship") == "LIN":
        least = max(float(film[~blank].max()) * _FLOOR, float(np.finfo(np.float32).tiny))
        film = np.log(np.maximum(film, least))
        steps.append("logarithm of intensities (PixelIntensityRelationship LIN)")
    if not done:
        steps.append("no VOI LUT and no window: percentiles alone")
    inverted, why, doubts = _inversion(header, raw)
    if inverted:
        film = film[~blank].max() - film
        steps.append(f"{why} inverted")
    film = np.asarray(film, np.float32)
    film[blank] = film[~blank].min()
    require_grey_levels(film)
    return film, steps, [*notes, *doubts]


def _modality(values: NDArray[Any], header: Dataset, little: bool) -> tuple[NDArray[Any], list[str], list[str]]:
    if header.get("ModalityLUTSequence"):
        return looked_up(values, header.ModalityLUTSequence[0], little), ["modality LUT"], []
    slope, intercept = _number(header, "RescaleSlope"), _number(header, "RescaleIntercept")
    if slope is None or intercept is None:
        missing = "RescaleSlope" if slope is None else "RescaleIntercept"
        alone = slope is not None or intercept is not None
        why = f"{missing} is missing or empty: values are taken as stored"
        return values.astype(np.float32), ["no rescale"], [why] if alone else []
    if slope == 0:
        raise InputError("RescaleSlope is 0: there is no image in it")
    return values.astype(np.float32) * slope + intercept, [f"rescale by {slope:g} and {intercept:g}"], []


def _for_processing(header: FileDataset) -> bool:
    intent = text(header, "PresentationIntentType").upper()
    sop_class = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    return sop_class == DigitalXRayImageStorageForProcessing or intent == "FOR PROCESSING"


def _sign(header: Dataset) -> int:
    """1: higher values are more X-rays, so that bone is dark; -1: fewer; 0: the file does not say."""
    value = header.get("PixelIntensityRelationshipSign")
    return {1: 1, -1: -1, 0xFFFF: -1}.get(value, 0) if isinstance(value, int) else 0  # 0xFFFF: written as US


def _inversion(header: Dataset, raw: bool) -> tuple[bool, str, list[str]]:
    """Whether bone is dark, which element says so, and what contradicts it.

    Raw detector values are no picture yet, so that PhotometricInterpretation says nothing of bone: the sign does.
    """
    negative, sign = text(header, "PhotometricInterpretation") == "MONOCHROME1", _sign(header)
    notes = []
    if raw:
        notes.append("stored For Processing: raw detector values, not a film as it is looked at")
        if sign:
            return sign == 1, f"PixelIntensityRelationshipSign {sign}", notes
        notes.append("PixelIntensityRelationshipSign is missing: if bone is dark in --preview, --invert")
    if "PresentationLUTShape" in header and (text(header, "PresentationLUTShape") == "INVERSE") != negative:
        notes.append(
            "PresentationLUTShape contradicts PhotometricInterpretation, which was followed: look at --preview"
        )
    if not raw and sign and (sign == 1) != negative:
        notes.append(
            f"PixelIntensityRelationshipSign {sign} contradicts PhotometricInterpretation, which was followed:"
            " if bone is dark in --preview, --invert"
        )
    return negative, "MONOCHROME1", notes


def _number(header: Dataset, keyword: str) -> float | None:
    value = header.get(keyword)
    if value is None or value == "":
        return None
    if not math.isfinite(float(value)):
        raise InputError(f"{keyword} is {float(value)}: the header is damaged")
    return float(value)
