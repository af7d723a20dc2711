"""A DICOM header parsed by pydicom within bounds of bytes and steps, whatever the file claims.

No GDCM and no ITK here: their parsers are native code with a record of memory errors on malformed headers.
"""

from collections.abc import MutableSequence, Sequence
from io import BytesIO
import math
from typing import Any

from pydicom import dcmread
from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from drr.ct.dicom_mark import dicom_start
from drr.ct.sources import MAX_FILE_BYTES, Member
from drr.errors import InputError

PIXEL_ELEMENT_BYTES = 12  # tag, value representation and length of the pixel data, at most
# Headers of single slices fit the first window. A multi-frame file needs about 2 kB, 10 items and 80 reads a frame.
_WINDOWS = (2**16, 2**23)
_PREAMBLE = bytes(128) + b"DICM"
_MAX_STEPS = 100_000
_MAX_ITEMS = 40_000
_MAX_VALUE_BYTES = 65_536
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_TAGS = [
    *("SOPClassUID", "Modality", "ImageType", "PatientID", "SeriesInstanceUID", "InstanceNumber"),
    "FrameOfReferenceUID",
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleType", "LossyImageCompression"),
    *("AcquisitionNumber", "TemporalPositionIdentifier", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime"),
    *("ContrastBolusAgent", "ContrastBolusAgentSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
# Functional groups; modality LUT, VOI LUT and the table inside them, up to 2 ** 16 words.
_LONG = {0x52009229, 0x52009230, 0x00283000, 0x00283010, 0x00283006}


class Budget:
    """What may be spent on one header: pydicom makes a read or two and an object for every element and item."""

    def __init__(self) -> None:
        self.left = _MAX_STEPS


class _Metered(BytesIO):
    def __init__(self, data: bytes, budget: Budget) -> None:
        super().__init__(data)
        self._budget = budget

    def read(self, size: int | None = -1, /) -> bytes:
        self._budget.left -= 1
        if self._budget.left < 0:
            raise InputError("the header has more elements than that of any CT: not read")
        return super().read(size)


def parse_header(member: Member, tags: Sequence[str] = _TAGS) -> tuple[FileDataset, int, bytes] | None:
    """The elements named in `tags`; where the pixel data element begins (0 for none), and its first bytes.

    None for a file that is no DICOM (`dicom_start`). Raises InputError for a file too large, deflated or with an
    endless header, and whatever pydicom raises on malformed bytes.
    """
    if member.size > MAX_FILE_BYTES:
        raise InputError(f"{member.size} bytes are too many for a CT")
    with member.open() as stream:
        head = stream.read(_WINDOWS[0])
        start = dicom_start(head)
        if start is None:
            return None
        try:
            found = _parse(head, start, tags)
            if found[1] or len(head) == member.size:
                return found
        except InputError:
            raise
        except Exception:  # cut off by the window, perhaps: the larger one tells
            if len(head) == member.size:
                raise
        return _parse(head + stream.read(_WINDOWS[1] - len(head)), start, tags)


def _parse(head: bytes, start: int, tags: Sequence[str]) -> tuple[FileDataset, int, bytes]:
    if DeflatedExplicitVRLittleEndian.encode() in head:
        # pydicom would inflate the whole file at once, to any size
        raise InputError("deflated DICOM is not read: save it uncompressed")
    if max(head.count(tag) for tag in _ITEM_TAGS) > _MAX_ITEMS:
        raise InputError("the header has more items than that of any CT: not read")
    stream = _Metered(_PREAMBLE + head[start:], Budget())
    header = dcmread(stream, stop_before_pixels=True, force=False, specific_tags=list(tags))
    _require_short_values(header)
    at = stream.tell() - len(_PREAMBLE) + start
    element = head[at : at + PIXEL_ELEMENT_BYTES]
    return header, at if len(element) == PIXEL_ELEMENT_BYTES else 0, element


def items(header: Dataset, keyword: str, budget: Budget) -> Sequence[Dataset]:
    """The items of a sequence; pydicom itself would parse one of stated length without any bound."""
    raw = header.get_item(keyword)
    if raw is None:
        return []
    found: Sequence[Dataset] = raw.value or []
    if isinstance(raw, RawDataElement) and raw.value:
        stream, order = _Metered(raw.value, budget), (raw.is_implicit_VR, raw.is_little_endian)
        found = read_sequence(stream, *order, len(raw.value), default_encoding)
    for item in found:
        _require_short_values(item)
    return found


def _require_short_values(header: Dataset) -> None:
    for raw in header.elements():
        if isinstance(raw, RawDataElement) and raw.length > _MAX_VALUE_BYTES and raw.tag not in _LONG:
            raise InputError(f"the value of element {raw.tag} has {raw.length} bytes: the header is damaged")


def has_value(header: Dataset, keyword: str) -> bool:
    """True for an element that is there and not blank, whatever its value representation claims to be."""
    raw = header.get_item(keyword)
    value = None if raw is None else raw.value
    if isinstance(value, bytes):
        return bool(value.strip(b" "))
    return value is not None and (not hasattr(value, "__len__") or len(value) > 0)


def numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Exactly `count` finite numbers of an element; InputError otherwise."""
    if not has_value(header, keyword):
        raise InputError(f"{keyword} is missing")
    try:
        value = header.get(keyword)
        found = tuple(float(part) for part in (value if count > 1 else [value]))
    except Exception:  # pydicom converts an element when it is asked for, and fails in many ways
        raise InputError(f"{keyword} is {_raw(header, keyword)}: no numbers") from None
    if len(found) != count or not all(math.isfinite(number) for number in found):
        raise InputError(f"{keyword} is {str(value)[:60]}, not {count} finite numbers")
    return found


def text(header: Dataset, keyword: str) -> str:
    """An element as stripped text, empty when it is missing."""
    value: Any = header.get(keyword)
    return str(value or "").strip()


def label(header: Dataset, keyword: str) -> str:
    """An element that only tells images apart, as text; empty when it is missing or makes no sense."""
    try:
        return text(header, keyword)
    except Exception:  # pydicom converts an element when it is asked for, and fails in many ways
        return ""


def whole(header: Dataset, keyword: str, missing: int = 0) -> int:
    """An element as an integer; `missing` when it is not there or empty. InputError for what is no number."""
    try:
        return int(header.get(keyword) or missing)
    except Exception:
        raise InputError(f"{keyword} is {_raw(header, keyword)}: no whole number") from None


def _raw(header: Dataset, keyword: str) -> str:
    raw = header.get_item(keyword)
    value = None if raw is None else raw.value
    if isinstance(value, bytes):
        return repr(value.decode("latin-1"))[:60]
    return repr("\\".join(map(str, value)) if isinstance(value, MutableSequence) else str(value))[:60]


def brief(error: Exception) -> str:
    """The first line of what went wrong, short enough for one line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
