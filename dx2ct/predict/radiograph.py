"""A DICOM CR or DX image as a film: modality LUT, VOI LUT or window, then MONOCHROME1's inversion, in that order.

DICOM PS3.3 C.11.1, C.11.2 and PS3.4 N.2: an inversion before the window would window the wrong end.
"""

from pathlib import Path
from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import DigitalXRayImageStorageForProcessing

from drr.ct.dicom_codestream import require_size as require_coded_size
from drr.ct.dicom_header import XRAY_CLASSES, XRAY_MODALITIES
from drr.ct.dicom_layout import plugin_of
from drr.ct.dicom_parse import brief, Budget, items, parse_header, PIXEL_ELEMENT_BYTES, text, whole
from drr.ct.sources import Member
from drr.errors import InputError
from dx2ct.predict.xray import require_grey_levels, require_size, Xray

_LUTS = ("ModalityLUTSequence", "VOILUTSequence")
_SPACINGS = {
    "PixelSpacing": "as the file gives it, perhaps calibrated to the patient",
    "ImagerPixelSpacing": "at the detector, larger than in the patient",
    "NominalScannedPixelSpacing": "of the scanned plate",
}
_TAGS = [
    *("SOPClassUID", "Modality", "ViewPosition", "ImageLaterality", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PresentationLUTShape", "PixelSpacingCalibrationType"),
    *("PixelIntensityRelationship", "EstimatedRadiographicMagnificationFactor"),
    *_LUTS,
    *_SPACINGS,
]


def read_radiograph(path: Path) -> Xray:
    """Read a file as float32 film, bone bright as the header tells it.

    Raises InputError for another modality, several frames, colour, and a file cut short.
    """
    try:
        with warnings.catch_warnings():  # of pydicom, which says more about one bad file than fits a line
            warnings.simplefilter("ignore")
            return _read(path)
    except (InputError, OSError):
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
    stored = _stored(path, header, at, element)
    padding = _padding(stored, header)
    film, steps = _shown(stored, header)
    if padding.any() and not padding.all():
        film[padding] = film[~padding].min()
    require_grey_levels(film)
    spacing, notes = _spacing(header)
    facts = {"format": "dicom", "modality": text(header, "Modality"), "view": text(header, "ViewPosition")}
    return Xray(film, "film", path.name, facts | {"steps": steps} | spacing, (*notes, *_notes(header)))


def _sequence(header: FileDataset, keyword: str, found: Any) -> Any:
    from pydicom.dataelem import DataElement

    return DataElement(header.get_item(keyword).tag, "SQ", Sequence(list(found)))


def _require_xray(header: FileDataset) -> None:
    modality, sop_class = text(header, "Modality"), text(header, "SOPClassUID")
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
    allocated, stored = whole(header, "BitsAllocated"), whole(header, "BitsStored")
    if allocated not in (8, 16) or not 1 < stored <= allocated or whole(header, "HighBit", stored - 1) != stored - 1:
        raise InputError(f"{allocated} bits allocated and {stored} stored: 8 and 16 are read")


def _stored(path: Path, header: FileDataset, at: int, element: bytes) -> NDArray[Any]:
    """Stored values, (row, column): the bits in use, with their sign."""
    rows, columns, bits = header.Rows, header.Columns, int(header.BitsAllocated)
    syntax, (implicit, little) = header.file_meta.TransferSyntaxUID, header.original_encoding
    if element[:4] != (b"\xe0\x7f\x10\x00" if little else b"\x7f\xe0\x00\x10"):
        raise InputError("pixels are not integers (PixelData is missing)")
    data = path.read_bytes()[at + (8 if implicit else PIXEL_ELEMENT_BYTES) :]
    if syntax.is_encapsulated:
        pixels = _decoded(data, header)
    else:
        promised = rows * columns * bits // 8
        if len(data) < promised:
            raise InputError(f"the file is cut short, {len(data)} of {promised} bytes of pixels: fetch it again")
        code = f"{'<' if little else '>'}{'i' if header.PixelRepresentation else 'u'}{bits // 8}"
        pixels = np.frombuffer(data[:promised], code).reshape(rows, columns).astype(code[1:])
    unused = bits - int(header.BitsStored)
    return np.asarray((pixels << unused) >> unused)


def _decoded(data: bytes, header: FileDataset) -> NDArray[Any]:
    syntax, shape = header.file_meta.TransferSyntaxUID, (header.Rows, header.Columns)
    frame = get_frame(data, 0, number_of_frames=1)
    require_coded_size(frame, syntax, *shape)
    options: dict[str, Any] = {
        "rows": shape[0],
        "columns": shape[1],
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": header.BitsAllocated,
        "bits_stored": header.BitsStored,
        "pixel_representation": int(header.PixelRepresentation),
        "pixel_keyword": "PixelData",
        "correct_unused_bits": False,
    }
    pixels, _ = get_decoder(syntax).as_array(
        encapsulate([frame], has_bot=False), index=0, raw=True, decoding_plugin=plugin_of(syntax), **options
    )
    if pixels.shape != shape:
        raise InputError(f"pixels are {pixels.shape}, the header promises {shape}")
    return np.asarray(pixels)


def _padding(stored: NDArray[Any], header: FileDataset) -> NDArray[np.bool_]:
    value = header.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    ends = sorted((int(value), int(header.get("PixelPaddingRangeLimit", value))))
    return np.asarray((stored >= ends[0]) & (stored <= ends[1]))


def _shown(stored: NDArray[Any], header: FileDataset) -> tuple[NDArray[np.float32], list[str]]:
    """The film as a viewer shows it, and what was done to get there."""
    if "ModalityLUTSequence" in header:
        steps = ["modality LUT"]
    else:
        steps = [
            f"rescale by {float(header.get('RescaleSlope', 1)):g} and {float(header.get('RescaleIntercept', 0)):g}"
        ]
    shown = apply_modality_lut(stored, header)
    if header.get("VOILUTSequence"):
        steps.append(f"VOI LUT, the first of {len(header.VOILUTSequence)}")
    elif header.get("WindowCenter") is not None and header.get("WindowWidth") is not None:
        centre, width = (np.atleast_1d(header[key].value) for key in ("WindowCenter", "WindowWidth"))
        steps.append(f"window {float(centre[0]):g}/{float(width[0]):g}, the first of {len(centre)}")
    else:
        steps.append("no VOI LUT and no window: percentiles alone")
    shown = np.asarray(apply_voi_lut(shown, header, index=0), np.float32)
    if text(header, "PhotometricInterpretation") == "MONOCHROME1":
        steps.append("MONOCHROME1 inverted")
        shown = shown.max() - shown
    return shown, steps


def _spacing(header: FileDataset) -> tuple[dict[str, object], list[str]]:
    for keyword, meaning in _SPACINGS.items():
        value = header.get(keyword)
        if value is None or len(value) != 2 or not all(float(step) > 0 for step in value):
            continue
        row, column = (float(step) for step in value)
        if abs(row / column - 1) > 0.01:
            raise InputError(f"{keyword} {row:g} x {column:g} mm: pixels are not square, resample it first")
        found: dict[str, object] = {"spacing_mm": [row, column], "spacing_from": keyword}
        return found, [f"pixels of {row:g} x {column:g} mm by {keyword} ({meaning})"]
    return {"spacing_mm": None, "spacing_from": None}, ["the file states no pixel spacing"]


def _notes(header: FileDataset) -> list[str]:
    notes = []
    inverse = text(header, "PresentationLUTShape") == "INVERSE"
    if inverse != (text(header, "PhotometricInterpretation") == "MONOCHROME1") and "PresentationLUTShape" in header:
        notes.append(
            "PresentationLUTShape contradicts PhotometricInterpretation, which was followed: look at --preview"
        )
    if text(header, "SOPClassUID") == DigitalXRayImageStorageForProcessing:
        notes.append("stored For Processing: raw detector values, not a film as it is looked at")
    return notes
