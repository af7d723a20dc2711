"""What a DICOM film's header says against it: another part of the body, a child, taken at the bedside; and of whom."""

from collections.abc import Iterator
import re

from pydicom.dataset import Dataset

from drr.ct.dicom_parse import label
from dx2ct.predict.xray import printable

DESCRIPTIONS = (
    *(
        "SeriesDescription",
        "ProtocolName",
        "PerformedProcedureStepDescription",
        "AcquisitionDeviceProcessingDescription",
    ),
    *("ImageComments", "StudyDescription"),
)
TAGS = ("BodyPartExamined", "PatientAge", "PatientID", *DESCRIPTIONS)
ADULT_YEARS = 16
_CHEST = ("CHEST", "THORAX", "LUNG", "RIB", "HEART", "TRUNK", "BODY")
_FROM_THE_FRONT = {"AP", "PORTABLE", "BEDSIDE", "SUPINE", "MOBILE"}
_YEARS = {"D": 1 / 365, "W": 7 / 365, "M": 1 / 12, "Y": 1.0}


def notes_of_header(header: Dataset) -> list[str]:
    """A line for each element that no chest film of an adult has."""
    part = label(header, "BodyPartExamined").upper()
    found = []
    if part and not any(word in part for word in _CHEST):
        found.append(printable(f"BodyPartExamined {part[:40]}: is it a chest X-ray? look at --preview"))
    age = re.fullmatch(r"(\d{3})([DWMY])", label(header, "PatientAge").upper())
    if age and int(age[1]) * _YEARS[age[2]] < ADULT_YEARS:
        found.append(f"PatientAge {age[0]}: a child; models here have learnt adults, the result will be an adult's")
    return found


def said_bedside(header: Dataset) -> str | None:
    """Which description says, and by which words, that a film was taken from the front; None where none does."""
    return next((f"{tag} says {' '.join(sorted(words))}" for tag, words in _words(header)), None)


def _words(header: Dataset) -> Iterator[tuple[str, set[str]]]:
    for tag in DESCRIPTIONS:
        if words := set(re.findall("[A-Z]+", label(header, tag).upper())) & _FROM_THE_FRONT:
            yield tag, words
