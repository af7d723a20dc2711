"""What a DICOM file turns out to be, as checked, typed values."""

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class CtFrames:
    """A multi-frame CT: several slices in one file."""

    patient: str
    series_uid: str
    slices: tuple[CtSlice, ...]


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


DicomFile = CtSlice | CtFrames | NotCt | BadCt
