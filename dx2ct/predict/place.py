"""Where an X-ray was taken, in mm, and who says so: the user, the file, or what is usual."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any

from drr.errors import InputError
from drr.geometry import PRESETS, View
from dx2ct.predict.detector import magnification
from dx2ct.predict.framing import Framing
from dx2ct.predict.xray import Xray

_USUAL = PRESETS["chest_film"]
SID_MM = _USUAL.source_detector_mm
ODD_MM = _USUAL.source_detector_mm - _USUAL.source_isocentre_mm
LONGER_SIDE_MM = 430.0  # of the usual films, 350 x 430 mm and 430 mm square
CHEST_MM = (100.0, 800.0)  # what the longer side may show of a patient
NEAREST_MM = 300.0  # from source to the middle of a patient
_SUPPORT_MM, _HALF_PATIENT_MM = 100.0, 150.0
_SAME = 1e-3
_TRAINING = "the training's"


@dataclass(frozen=True)
class Place:
    """Of an X-ray's pixels (height, width) at the detector, of source and detector, of the patient's middle and it."""

    pixel_mm: tuple[float, float]
    spacing_from: str
    sid_mm: float
    sid_from: str
    odd_mm: float
    odd_from: str
    guessed: bool = False

    @property
    def is_training(self) -> bool:
        """The beam is the one that the model was trained with."""
        return self.sid_from == self.odd_from == _TRAINING

    def __str__(self) -> str:
        return (
            f"pixel spacing {self.pixel_mm[0]:.4g} mm at the detector ({self.spacing_from}), source {self.sid_mm:.0f} "
            f"mm from it ({self.sid_from}), middle of the patient {self.odd_mm:.0f} mm before it ({self.odd_from})"
        )


def place_of(view: str, xray: Xray, how: Framing, training: View) -> Place:
    """Of the user's words first, then the file's, then what is usual; of line integrals the training's where they fit.

    Raises InputError for what cannot be of a chest.
    """
    if xray.kind == "integrals" and not how.places and _fits(xray, training):
        odd_mm = training.source_detector_mm * (1 - 1 / magnification(training))
        sizes = (training.rows / xray.pixels.shape[0], training.columns / xray.pixels.shape[1])
        height, width = (side * size for side, size in zip(training.pixel_mm, sizes, strict=True))
        return Place((height, width), _TRAINING, training.source_detector_mm, _TRAINING, odd_mm, _TRAINING)
    sid_mm, sid_from = _sid(xray.facts, how)
    odd_mm, odd_from = _odd(xray.facts, how, sid_mm)
    if not 0 < odd_mm <= sid_mm - NEAREST_MM:
        beam = f"{sid_mm:g} mm from source to detector and {odd_mm:g} mm from the middle of the patient to the detector"
        where = f"{NEAREST_MM:g} mm at least must lie between source and patient"
        raise InputError(f"{xray.name}: {beam}: {where} (--sid-mm, --odd-mm)")
    enlarged = sid_mm / (sid_mm - odd_mm)
    pixel_mm, spacing_from, guessed = _spacing(xray, how, enlarged)
    longer = max(side * pixel for side, pixel in zip(xray.pixels.shape, pixel_mm, strict=True)) / enlarged
    if not CHEST_MM[0] <= longer <= CHEST_MM[1]:
        size = f"pixels of {pixel_mm[0]:.4g} mm ({spacing_from}) make it show {longer:.4g} mm of the patient"
        least, most = CHEST_MM
        raise InputError(f"{xray.name}: {size}, a chest X-ray {least:g} to {most:g}: give --spacing-mm {view}:MM")
    return Place(pixel_mm, spacing_from, sid_mm, sid_from, odd_mm, odd_from, guessed)


def _fits(xray: Xray, training: View) -> bool:
    """Line integrals without a scale, and those of the training's detector in pixels of any size."""
    spacing: Any = xray.facts.get("spacing_mm")
    if spacing is None:
        return True
    sides = zip(spacing, xray.pixels.shape, training.pixel_mm, (training.rows, training.columns), strict=True)
    return all(math.isclose(pixel * count, mm * wanted, rel_tol=_SAME) for pixel, count, mm, wanted in sides)


def _spacing(xray: Xray, how: Framing, enlarged: float) -> tuple[tuple[float, float], str, bool]:
    """Height and width of a pixel at the detector, who says so, whether it is a guess."""
    if how.spacing_mm is not None:
        return (how.spacing_mm, how.spacing_mm), "--spacing-mm", False
    said: Any = xray.facts.get("spacing_mm")
    if said is None:
        pixel = LONGER_SIDE_MM / max(xray.pixels.shape)
        return (pixel, pixel), f"its longer side taken for {LONGER_SIDE_MM:g} mm", True
    height, width = said
    if xray.facts.get("spacing_at") == "patient":
        return (height * enlarged, width * enlarged), f"{xray.facts['spacing_from']}, in the patient", False
    return (height, width), str(xray.facts["spacing_from"]), False


def _sid(facts: Mapping[str, Any], how: Framing) -> tuple[float, str]:
    if how.sid_mm is not None:
        return how.sid_mm, "--sid-mm"
    said = facts.get("sid_mm")
    if said is None:
        return SID_MM, "usual"
    if 2 * NEAREST_MM <= said < 20 * NEAREST_MM:
        return said, "DistanceSourceToDetector"
    return SID_MM, f"usual, DistanceSourceToDetector {said:g} cannot be"


def _odd(facts: Mapping[str, Any], how: Framing, sid_mm: float) -> tuple[float, str]:
    """From the middle of the patient to the detector.

    DICOM's distance from source to patient ends, for CR and DX, at the support of the patient (PS3.3 table C.8-72), for
    others in the middle: less than a support's depth before the detector means the former. A magnification that is
    estimated belongs to the same place.
    """
    if how.odd_mm is not None:
        return how.odd_mm, "--odd-mm"
    sod_mm, factor = facts.get("sod_mm"), facts.get("magnification")
    found = [] if sod_mm is None else [(sid_mm - sod_mm, "DistanceSourceToPatient", sod_mm)]
    if factor:
        found.append((sid_mm - sid_mm / factor, "EstimatedRadiographicMagnificationFactor", factor))
    for odd_mm, who, _ in found:
        if 0 <= odd_mm < _SUPPORT_MM:
            return odd_mm + _HALF_PATIENT_MM, f"{who} and half a patient, {_HALF_PATIENT_MM:g} mm"
        if _SUPPORT_MM <= odd_mm <= sid_mm - NEAREST_MM:
            return odd_mm, who
    return ODD_MM, "usual" + "".join(f", {who} {said:g} cannot be" for _, who, said in found)
