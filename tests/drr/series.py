"""Small synthetic DICOM CT series with any defect, written anew for every test."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
import zipfile

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid, JPEGLosslessSV1, UID

from tests.drr.jpeg_lossless import encode

AXIAL = (1, 0, 0, 0, 1, 0)
Edit = Callable[[FileDataset, int], None]


def body(slices: int = 12, rows: int = 16, columns: int = 20) -> NDArray[np.int16]:
    """Air around a block of tissue whose every voxel has a value of its own, (z, y, x) HU."""
    hu = np.full((slices, rows, columns), -1000, np.int16)
    block = hu[1:-1, 3:-3, 4:-4]
    block[:] = np.arange(block.size).reshape(block.shape) % 900 - 100
    return hu


def write_series(
    folder: Path,
    hu: NDArray[np.int16] | None = None,
    *,
    patient: str = "P1",
    uid: str | None = None,
    spacing_mm: tuple[float, float] = (2.0, 1.5),
    step_mm: float = 3.0,
    orientation: Sequence[float] = AXIAL,
    origin_mm: Sequence[float] = (-10.0, -20.0, -30.0),
    positions_mm: NDArray[np.float64] | None = None,
    intercept: float = -1024,
    slope: float = 1,
    signed: bool = False,
    syntax: UID = ExplicitVRLittleEndian,
    edit: Edit | None = None,
    skip: Sequence[int] = (),
) -> Path:
    """Write hu (z, y, x), one slice a file; slice k lies k steps along the normal from the origin.

    spacing_mm is DICOM's: between rows, between columns. `edit` may change any header before it is written.
    """
    hu = body() if hu is None else hu
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    if positions_mm is None:
        positions_mm = np.array(origin_mm) + np.arange(len(hu))[:, None] * step_mm * normal
    uid = uid or generate_uid(entropy_srcs=[str(folder), patient])
    for k, image in enumerate(hu):
        header = _header(patient, uid, k, signed, syntax)
        header.Rows, header.Columns = image.shape
        header.ImagePositionPatient = [f"{value:.6f}" for value in positions_mm[k]]
        header.ImageOrientationPatient = [f"{value:.8f}" for value in orientation]
        header.PixelSpacing = list(spacing_mm)
        header.RescaleSlope, header.RescaleIntercept = slope, intercept
        stored = np.rint((image - intercept) / slope).astype(np.int16 if signed else np.uint16)
        header.PixelData = (stored if syntax.is_little_endian else stored.byteswap()).tobytes()
        header["PixelData"].VR = "OW"
        if edit is not None:
            edit(header, k)
        if k not in skip:
            header.save_as(folder / f"{k:04}.dcm", enforce_file_format=True)
    return folder


def zipped(folder: Path, path: Path) -> Path:
    """The folder's files as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def _header(patient: str, uid: str, k: int, signed: bool, syntax: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(f"{uid}.{k}"[:64])
    little = syntax.is_little_endian
    header = FileDataset("", {}, bytes(128), meta, is_implicit_VR=syntax.is_implicit_VR, is_little_endian=little)
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PatientID, header.SeriesInstanceUID = "CT", patient, uid
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.InstanceNumber = k + 1
    header.SliceThickness = 99  # a wrong value on purpose: nobody may use it
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = int(signed)
    return header


def with_values(**values: Any) -> Edit:
    """An edit that sets these elements of every slice."""

    def edit(header: FileDataset, k: int) -> None:
        for keyword, value in values.items():
            setattr(header, keyword, value)

    return edit


def at_slice(index: int, **values: Any) -> Edit:
    """An edit that sets these elements of one slice."""
    return lambda header, k: with_values(**values)(header, k) if k == index else None


def to_jpeg_lossless(header: FileDataset, k: int) -> None:
    """An edit that compresses every slice."""
    stored = np.frombuffer(header.PixelData, np.uint16).reshape(header.Rows, header.Columns)
    header.PixelData = encapsulate([encode(stored)])
    header["PixelData"].VR = "OB"
    header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
