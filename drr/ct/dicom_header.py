"""One DICOM file's header, read by pydicom without its pixels and turned into checked, typed values.

No GDCM and no ITK here: their parsers are native code with a record of memory errors on malformed headers.
"""

from dataclasses import dataclass
import math
import re
import struct
from typing import BinaryIO, cast
import warnings

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
    UID,
)

from drr.ct.sources import DICOM_SUFFIXES, MAX_FILE_BYTES, Member
from drr.errors import InputError

CT_CLASSES = {CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
XRAY_CLASSES = {
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
}
XRAY_MODALITIES = {"CR", "DX", "RG", "RF", "XA"}
MAX_SIDE = 4096
_ENCAPSULATED_HEADER, _ITEM, _SEQUENCE_END = 12, (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


@dataclass(frozen=True, eq=False)
class CtSlice:
    """A CT image's header. Lengths in mm, directions as unit vectors in LPS, `spacing_mm` as (rows, columns) apart."""

    member: Member
    patient: str
    series_uid: str
    instance: int
    rows: int
    columns: int
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    slope: float
    intercept: float
    bits_stored: int
    padding: tuple[int, int] | None
    """First and last stored value that mean: no measurement here."""


@dataclass(frozen=True)
class NotCt:
    """A DICOM file that is no CT slice: what it is, in a word for the user."""

    name: str
    what: str
    is_xray: bool


@dataclass(frozen=True)
class BadCt:
    """A CT image that cannot be used: the series it belongs to, and the reason."""

    patient: str
    series_uid: str
    reason: str


def read_header(member: Member) -> CtSlice | NotCt | BadCt | None:
    """What a file is; None when it is no DICOM file at all and does not claim to be one.

    Raises InputError, naming the file, when it claims to be DICOM and cannot be parsed.
    """
    try:
        with member.open() as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = cast(BinaryIO, opened)
            if stream.read(132)[128:] != b"DICM":
                if member.name.lower().endswith(DICOM_SUFFIXES):
                    raise InputError(f"{member.name}: not a DICOM file (no DICM mark): remove it or fetch it again")
                return None
            header = _parse(member, stream)
            if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
                return None  # a DICOMDIR: the index of an exported disc, no image
            return _classify(member, header, stream)
    except InputError:
        raise
    except Exception as error:  # pydicom meets malformed bytes with a dozen exception types, none of its own
        raise InputError(f"{member.name}: not a readable DICOM file ({_brief(error)}): fetch it again") from None


def _parse(member: Member, stream: BinaryIO) -> FileDataset:
    """The header up to the pixels; the stream is left at the pixel data element."""
    if member.size > MAX_FILE_BYTES:
        raise InputError(f"{member.name}: {member.size} bytes are too many for a CT slice")
    stream.seek(0)
    read_preamble(stream, force=False)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    if str(meta.get("TransferSyntaxUID", "")) == DeflatedExplicitVRLittleEndian:
        # pydicom would inflate the whole file at once, to any size
        raise InputError(f"{member.name}: deflated DICOM is not read: save it uncompressed")
    stream.seek(0)
    return dcmread(stream, stop_before_pixels=True, force=False)


def _classify(member: Member, header: FileDataset, stream: BinaryIO) -> CtSlice | NotCt | BadCt:
    modality, sop_class = _text(header, "Modality"), _text(header, "SOPClassUID")
    if not sop_class:
        raise InputError(f"{member.name}: the file is cut short in its header: fetch it again")
    if sop_class not in CT_CLASSES:
        is_xray = sop_class in XRAY_CLASSES or modality in XRAY_MODALITIES
        name = UID(sop_class).name
        return NotCt(member.name, f"{modality} ({name})" if modality else name, is_xray)
    if "LOCALIZER" in (header.get("ImageType") or ()):
        return NotCt(member.name, "CT localizer", False)
    patient, series_uid = _text(header, "PatientID"), _text(header, "SeriesInstanceUID")
    if not re.fullmatch(r"[0-9A-Za-z.]{1,64}", series_uid):
        raise InputError(f"{member.name}: SeriesInstanceUID {series_uid!r} is no UID")
    try:
        _require_whole_pixels(header, member, stream)
        return _slice(member, patient, series_uid, header)
    except (InputError, ValueError, TypeError, AttributeError, OverflowError) as error:
        return BadCt(patient, series_uid, f"{member.name}: {_brief(error)}")


def _slice(member: Member, patient: str, series_uid: str, header: Dataset) -> CtSlice:
    (slope,), (intercept,) = _numbers(header, "RescaleSlope", 1), _numbers(header, "RescaleIntercept", 1)
    spacing = _numbers(header, "PixelSpacing", 2)
    if slope == 0 or min(spacing) <= 0:
        raise InputError(f"RescaleSlope {slope} and PixelSpacing {spacing} cannot be 0 or less")
    return CtSlice(
        member=member,
        patient=patient,
        series_uid=series_uid,
        instance=int(header.get("InstanceNumber") or 0),
        rows=int(header.Rows),
        columns=int(header.Columns),
        position_mm=_numbers(header, "ImagePositionPatient", 3),
        orientation=_numbers(header, "ImageOrientationPatient", 6),
        spacing_mm=spacing,
        slope=slope,
        intercept=intercept,
        bits_stored=int(header.BitsStored),
        padding=_padding(header),
    )


def _padding(header: Dataset) -> tuple[int, int] | None:
    value = header.get("PixelPaddingValue")
    if value is None:
        return None
    limit = header.get("PixelPaddingRangeLimit", value)
    # writers confuse US and SS here (63536 for -2000): both ends are brought to the pixels' own sign
    dtype = np.int16 if header.PixelRepresentation else np.uint16
    first, last = np.array([int(value) & 0xFFFF, int(limit) & 0xFFFF], dtype=np.uint16).view(dtype).tolist()
    return min(first, last), max(first, last)


def _require_whole_pixels(header: FileDataset, member: Member, stream: BinaryIO) -> None:
    """The pixel format is one this reader knows, and the file is as long as that format promises."""
    if int(header.get("NumberOfFrames") or 1) != 1 or header.SOPClassUID != CTImageStorage:
        raise InputError("multi-frame (Enhanced) CT is not read: convert it to NIfTI, for example with dcm2niix")
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    allocated, stored = int(header.get("BitsAllocated") or 0), int(header.get("BitsStored") or 0)
    if not 1 < min(rows, columns) <= max(rows, columns) <= MAX_SIDE:
        raise InputError(f"{rows} x {columns} pixels are no CT slice")
    if (int(header.get("SamplesPerPixel") or 0), allocated) != (1, 16) or int(header.get("HighBit") or 0) != stored - 1:
        raise InputError(f"pixels are not single values of 16 bits ({allocated} allocated, {stored} stored)")
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        _require_decoder(syntax)
        _require_whole_fragments(stream)
        return
    element_header = 8 if syntax.is_implicit_VR else 12
    there, promised = max(member.size - stream.tell() - element_header, 0), rows * columns * 2
    if there < promised:
        raise InputError(f"the file is cut short, {there} of {promised} bytes of pixels: fetch it again")


def _require_decoder(syntax: UID) -> None:
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise InputError(f"transfer syntax {syntax.name} cannot be decoded: save it uncompressed")


def _require_whole_fragments(stream: BinaryIO) -> None:
    stream.seek(_ENCAPSULATED_HEADER, 1)
    while len(item := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", item)
        if (group, element) == _SEQUENCE_END:
            return
        if (group, element) != _ITEM or len(stream.read(length)) < length:
            break
    raise InputError("the file is cut short inside its compressed pixels: fetch it again")


def _numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    value = header.get(keyword)
    if value is None or value == "":
        raise InputError(f"{keyword} is missing")
    numbers = tuple(float(part) for part in (value if count > 1 else [value]))
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{keyword} is {value}, not {count} finite numbers")
    return numbers


def _text(header: Dataset, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()


def _brief(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
