"""A DICOM CR or DX image as a film: stored values, what is no image, grey values as a viewer shows them, and place."""

from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any
import warnings

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

from drr.ct.dicom_header import XRAY_CLASSES, XRAY_MODALITIES
from drr.ct.dicom_parse import brief, Budget, items, label, parse_header, text, whole
from drr.ct.sources import Member
from drr.errors import InputError
from dx2ct.predict import film_grey, film_header, film_pixels, film_place, film_scale, film_window
from dx2ct.predict.xray import require_size, with_square_pixels, Xray

_LUTS = ("ModalityLUTSequence", "VOILUTSequence")
_TAGS = [
    *("SOPClassUID", "Modality", "Rows", "Columns", "NumberOfFrames"),
    *film_pixels.TAGS,
    *film_grey.TAGS,
    *film_header.TAGS,
    *film_window.TAGS,
    *film_place.TAGS,
    *film_scale.TAGS,
    *_LUTS,
]


def read_radiograph(path: Path) -> Xray:
    """Read a file as float32 film, bone bright as the header tells it.

    Raises InputError for another modality, several frames, colour, and a file cut short.
    """
    try:
        with warnings.catch_warnings():  # of pydicom, which says more about one bad file than fits a line
            warnings.simplefilter("ignore")
            return _read(path)
    except (InputError, OSError, MemoryError):  # the last is the machine's fault and no file's
        raise
    except Exception as error:  # pydicom and its decoders meet malformed bytes with a dozen exception types
        raise InputError(f"not a readable DICOM X-ray ({brief(error)}): fetch it again") from None


def _read(path: Path) -> Xray:
    parsed = parse_header(Member(path.name, path.stat().st_size, lambda: path.open("rb")), _TAGS)
    if parsed is None:
        raise InputError("not a DICOM file (no DICM mark): fetch it again")
    header, at, element = parsed
    _require_xray(header)
    budget = Budget()
    for keyword in _LUTS:  # read within bounds, before pydicom reads them without
        found = items(header, keyword, budget)
        if keyword in header:
            header[keyword] = _sequence(header, keyword, found)
    if not at:
        raise InputError("the file is cut short before its pixels: fetch it again")
    pixels = film_pixels.stored_values(path, header, at, element)
    blank, outside = film_place.outside_shutters(header)
    padding = pixels.padding if blank is None else pixels.padding | blank
    steps = [*pixels.steps, *outside]
    film, done, said = film_grey.shown(pixels.values, header, padding)
    facts: dict[str, object] = {
        "format": "dicom",
        "modality": text(header, "Modality"),
        "view": text(header, "ViewPosition"),
        "steps": [*steps, *done],
    }
    spacing, spacing_notes, sides = film_scale.spacing_of(header)
    directions, place = film_place.directions_of(header)
    notes = (*pixels.notes, *outside, *said, *spacing_notes, *place, *film_header.notes_of_header(header))
    known = padding if padding.any() else None
    facts |= spacing | film_scale.distances_of(header)
    if bedside := film_header.said_bedside(header):
        facts["bedside"] = bedside
    patient = label(header, "PatientID")
    xray = Xray(film, "film", path.name, facts, notes, known, directions, patient=patient)
    return with_square_pixels(xray, *sides)


def _sequence(header: FileDataset, keyword: str, found: Items[Dataset]) -> Any:
    return DataElement(header.get_item(keyword).tag, "SQ", Sequence(list(found)))


def _require_xray(header: FileDataset) -> None:
    modality = text(header, "Modality")
    sop_class = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    if not sop_class and not modality:
        raise InputError("the file is cut short in its header: fetch it again")
    if sop_class not in XRAY_CLASSES and modality not in XRAY_MODALITIES:
        raise InputError(f"a DICOM image of modality {modality or sop_class}, not an X-ray (CR, DX)")
    if whole(header, "NumberOfFrames", 1) != 1:
        raise InputError(f"{whole(header, 'NumberOfFrames')} frames in one file: give one X-ray image")
    photometric = text(header, "PhotometricInterpretation")
    if photometric not in ("MONOCHROME1", "MONOCHROME2") or whole(header, "SamplesPerPixel", 1) != 1:
        raise InputError(f"pixels are {photometric or 'of unknown colour'}, an X-ray is MONOCHROME1 or MONOCHROME2")
    require_size(whole(header, "Rows"), whole(header, "Columns"))
