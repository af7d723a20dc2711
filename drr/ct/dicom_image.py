"""What a DICOM file turns out to be, as checked, typed values."""

from dataclasses import dataclass
import math

import numpy as np
from pydicom.uid import UID

from drr.ct.sources import Member


@dataclass(frozen=True)
class StoredFrame:
    """Where a file keeps one image: 16-bit values, or compressed pieces that belong together.

    pieces: (byte offset in the file, bytes) of each, all of them inside the file.
    """

    syntax: UID
    big_endian: bool
    signed: bool
    pieces: tuple[tuple[int, int], ...]


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
    stored: StoredFrame
    temporal: str
    """TemporalPositionIdentifier, or a frame's TemporalPositionIndex."""
    acquisition: str
    """AcquisitionNumber."""
    frame_of_reference: str
    """FrameOfReferenceUID: places of one frame alone can be compared."""
    derived: bool
    """ImageType says that its pixels were computed from other images."""
    acquired: str
    """Date and time of the acquisition, as text that sorts."""
    contrast: bool
    """A contrast agent is named."""
    remarks: tuple[str, ...]
    """What the user should know of this image: the end of a sentence about several."""


@dataclass(frozen=True, eq=False)
class CtFrames:
    """A multi-frame CT: several slices in one file."""

    patient: str
    series_uid: str
    slices: tuple[CtSlice, ...]


@dataclass(frozen=True)
class NotCt:
    """A DICOM file that is no CT slice: what it is, in a word for the user.

    page_of: SeriesInstanceUID of a page of text that is stored as a CT image, a dose report for instance.
    """

    name: str
    what: str
    is_xray: bool
    page_of: str = ""


@dataclass(frozen=True)
class BadCt:
    """A CT image that cannot be used: the series it belongs to, and the reason."""

    patient: str
    series_uid: str
    reason: str


DicomFile = CtSlice | CtFrames | NotCt | BadCt


def place(one: CtSlice) -> str:
    """Where the first pixel lies, for a person: z alone of an axial slice."""
    x, y, z = one.position_mm
    along_row, down_column = np.reshape(one.orientation, (2, 3))
    if abs(np.cross(along_row, down_column)[2]) > math.sqrt(0.5):
        return f"z = {z:g} mm"
    return f"({x:g}, {y:g}, {z:g}) mm"
