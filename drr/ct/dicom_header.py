"""One DICOM file: a CT slice, a multi-frame CT, something else, or a CT image that cannot be used."""

import re
import warnings

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    EnhancedCTImageStorage,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
    UID,
)

from drr.ct.dicom_frames import frame_headers
from drr.ct.dicom_image import BadCt, CtFrames, CtSlice, DicomFile, NotCt, StoredFrame
from drr.ct.dicom_layout import stored_frames, transfer_syntax
from drr.ct.dicom_parse import brief, has_value, label, numbers, parse_header, text, whole
from drr.ct.sources import DICOM_SUFFIXES, Member
from drr.errors import InputError

MULTI_FRAME_CLASSES = {EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
CT_CLASSES = {CTImageStorage} | MULTI_FRAME_CLASSES
XRAY_CLASSES = {
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
}
XRAY_MODALITIES = {"CR", "DX", "RG", "RF", "XA"}
# PS3.3 C.11.1.1.2: US is "unspecified", what writers put who leave it to the Modality.
HU_TYPES = {"", "HU", "US"}
_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless}
MAX_SLOPE, MAX_INTERCEPT = 1e4, 1e6
# Values of ImageType, without blanks and underscores, of images that are computed of CT slices and hold no HU of a
# place: projections, pictures, materials. PS3.3 C.7.6.1.1.2, C.8.15.3.1, C.8.16.1.4, and what scanners write.
_COMPUTED = {
    "MIP", "MINIP", "MAXIP", "MAXIMUM", "MINIMUM", "STDDEVIATION", "SUBTRACTION", "DIVISION", "MULTIPLICATION",
    "VOLUMERENDER", "SURFACERENDER", "VRT", "SSD", "CURVEDMPR", "PROJECTIONIMAGE",
    "MATSPECIFIC", "MATFRACTIONAL", "MATVALUEBASED", "EFFATOMICNUM", "ELECTRONDENSITY",
}  # fmt: skip
MIN_PIXEL_MM, MAX_PIXEL_MM, MAX_PLACE_MM = 0.01, 20, 1e5


def read_header(member: Member) -> DicomFile | None:
    """What a file is; None when it is no DICOM file at all and does not claim to be one.

    Raises InputError, naming the file, when it claims to be DICOM and cannot be parsed.
    """
    with warnings.catch_warnings():  # of pydicom, which says more about one bad file than fits a line
        warnings.simplefilter("ignore")
        return _read(member)


def _read(member: Member) -> DicomFile | None:
    try:
        parsed = parse_header(member)
        if parsed is None:
            if member.name.lower().endswith(DICOM_SUFFIXES):
                raise InputError("not a DICOM file (no DICM mark, no header): remove it or fetch it again")
            return None
        header, at, element = parsed
        if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
            return None  # a DICOMDIR: the index of an exported disc, no image
        return _classify(member, header, at, element)
    except InputError as error:
        raise InputError(f"{member.name}: {error}") from None
    except Exception as error:  # pydicom meets malformed bytes with a dozen exception types, none of its own
        raise InputError(f"{member.name}: not a readable DICOM file ({brief(error)}): fetch it again") from None


def _classify(member: Member, header: FileDataset, at: int, element: bytes) -> DicomFile:
    modality, sop_class = text(header, "Modality"), _sop_class(header)
    if not sop_class and not at:
        raise InputError("the file is cut short in its header: fetch it again")
    if not sop_class and modality != "CT":
        raise InputError(f"neither SOPClassUID nor Modality ({modality or 'none'}) tells what image it is: remove it")
    sop_class = sop_class or CTImageStorage
    if sop_class not in CT_CLASSES:
        is_xray = sop_class in XRAY_CLASSES or modality in XRAY_MODALITIES
        name = UID(sop_class).name
        return NotCt(member.name, f"{modality} ({name})" if modality else name, is_xray)
    if "LOCALIZER" in (header.get("ImageType") or ()):
        return NotCt(member.name, "CT localizer", False)
    if computed := _computed(header):
        return NotCt(member.name, f"CT images of ImageType {computed}", False)
    patient, series_uid = text(header, "PatientID"), text(header, "SeriesInstanceUID")
    if not series_uid and not at:
        raise InputError(
            "the file is cut short in its header, or in another transfer syntax than it states: fetch it again"
        )
    if not re.fullmatch(r"[0-9A-Za-z.]{1,64}", series_uid):
        raise InputError(f"SeriesInstanceUID {series_uid[:80]!r} is no UID")
    if sop_class == CTImageStorage and _is_page(header):
        return NotCt(member.name, "CT image without a position in the patient", False, page_of=series_uid)
    try:
        frames, remarks = stored_frames(header, member, at, element), _remarks(header, element)
        if sop_class in MULTI_FRAME_CLASSES:
            slices = _frames(member, patient, series_uid, header, frames, remarks)
            return CtFrames(patient, series_uid, slices) if slices else NotCt(member.name, "CT localizer", False)
        if len(frames) > 1:
            raise InputError(f"{len(frames)} frames in a file that is not Enhanced CT: their places are unknown")
        return _slice(member, patient, series_uid, header, frames[0], whole(header, "InstanceNumber"), remarks)
    except Exception as error:  # pydicom converts an element when it is asked for, and fails then
        return BadCt(patient, series_uid, f"{member.name}: {brief(error)}")


def _sop_class(header: FileDataset) -> str:
    """The data set's own; of the file meta information when it has none."""
    return text(header, "SOPClassUID") or str(header.file_meta.get("MediaStorageSOPClassUID") or "").strip()


def _is_page(header: FileDataset) -> bool:
    """Scanners store dose reports and screens as CT images: they have no place in the patient, and some say so."""
    lost = not has_value(header, "ImagePositionPatient")
    return lost and (not has_value(header, "ImageOrientationPatient") or "SECONDARY" in (header.get("ImageType") or ()))


def _computed(header: FileDataset) -> str:
    """Of ImageType the value that says that these are no HU of a place; empty where none does."""
    values = header.get("ImageType") or ()
    for value in [values] if isinstance(values, str) else map(str, values):
        if value.upper().replace("_", "").replace(" ", "") in _COMPUTED:
            return value[:20]
    return ""


def _remarks(header: FileDataset, element: bytes) -> tuple[str, ...]:
    syntax, found = transfer_syntax(header, element), []
    if not header.file_meta.get("TransferSyntaxUID"):
        found.append(f"name no transfer syntax: read as {syntax.name}")
    if label(header, "LossyImageCompression") == "01" or syntax in _LOSSY:
        found.append("were compressed with loss: small structures and noise are not those of the scanner")
    return tuple(found)


def _frames(
    member: Member,
    patient: str,
    series_uid: str,
    header: FileDataset,
    frames: list[StoredFrame],
    remarks: tuple[str, ...],
) -> tuple[CtSlice, ...]:
    numbered = enumerate(zip(frame_headers(header, len(frames)), frames, strict=True), start=1)
    return tuple(
        _slice(member, patient, series_uid, one, frame, number, remarks)
        for number, (one, frame) in numbered
        if one is not None
    )


def _slice(
    member: Member,
    patient: str,
    series_uid: str,
    header: Dataset,
    frame: StoredFrame,
    instance: int,
    remarks: tuple[str, ...],
) -> CtSlice:
    rescale_type = text(header, "RescaleType")
    if rescale_type.upper() not in HU_TYPES:
        raise InputError(f"RescaleType is {rescale_type[:20]}, not HU: the values are no Hounsfield units")
    (slope,), (intercept,) = numbers(header, "RescaleSlope", 1), numbers(header, "RescaleIntercept", 1)
    spacing = numbers(header, "PixelSpacing", 2)
    if slope == 0 or min(spacing) <= 0:
        raise InputError(f"RescaleSlope {slope} and PixelSpacing {spacing} cannot be 0 or less")
    if abs(slope) > MAX_SLOPE or abs(intercept) > MAX_INTERCEPT:
        raise InputError(f"RescaleSlope {slope} or RescaleIntercept {intercept} is out of range: no HU come of it")
    position = numbers(header, "ImagePositionPatient", 3)
    if not MIN_PIXEL_MM <= min(spacing) <= max(spacing) <= MAX_PIXEL_MM or max(map(abs, position)) > MAX_PLACE_MM:
        raise InputError(f"PixelSpacing {spacing} or ImagePositionPatient {position} mm is not that of a patient")
    return CtSlice(
        member=member,
        patient=patient,
        series_uid=series_uid,
        instance=instance,
        rows=whole(header, "Rows"),
        columns=whole(header, "Columns"),
        position_mm=position,
        orientation=numbers(header, "ImageOrientationPatient", 6),
        spacing_mm=spacing,
        slope=slope,
        intercept=intercept,
        bits_stored=whole(header, "BitsStored"),
        padding=_padding(header),
        stored=frame,
        temporal=label(header, "TemporalPositionIdentifier"),
        acquisition=label(header, "AcquisitionNumber"),
        frame_of_reference=label(header, "FrameOfReferenceUID"),
        derived="DERIVED" in (header.get("ImageType") or ()),
        acquired=label(header, "AcquisitionDateTime")
        or label(header, "AcquisitionDate") + label(header, "AcquisitionTime"),
        contrast=has_value(header, "ContrastBolusAgent") or has_value(header, "ContrastBolusAgentSequence"),
        remarks=remarks,
    )


def _padding(header: Dataset) -> tuple[int, int] | None:
    if not has_value(header, "PixelPaddingValue"):
        return None
    value = whole(header, "PixelPaddingValue")
    limit = whole(header, "PixelPaddingRangeLimit") if has_value(header, "PixelPaddingRangeLimit") else value
    # writers confuse US and SS here (63536 for -2000): both ends are brought to the pixels' own sign
    dtype = np.int16 if whole(header, "PixelRepresentation") else np.uint16
    first, last = np.array([value & 0xFFFF, limit & 0xFFFF], dtype=np.uint16).view(dtype).tolist()
    return min(first, last), max(first, last)
