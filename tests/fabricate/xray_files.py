"""X-ray files: radiographs in pictures and in DICOM."""

from pathlib import Path
import struct

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    generate_uid,
    ImplicitVRLittleEndian,
    UID,
)

from dx2ct.predict.xray import Xray


def pa(rows: int = 200, columns: int = 160) -> NDArray[np.float64]:
    """A body with two lungs and a middle between them, one lung a little smaller; [0, 1], bone bright."""
    y, x = np.mgrid[:rows, :columns]
    y, x = y / rows, x / columns
    image = np.where(abs(x - 0.5) < 0.45, 0.7, 0.0) + 0.02 * y
    image[((x - 0.28) / 0.13) ** 2 + ((y - 0.45) / 0.32) ** 2 < 1] = 0.2
    image[((x - 0.72) / 0.11) ** 2 + ((y - 0.45) / 0.30) ** 2 < 1] = 0.22
    image[abs(x - 0.5) < 0.06] += 0.2
    return np.asarray(image)


def lateral(rows: int = 200, columns: int = 160) -> NDArray[np.float64]:
    """A body with one lung in its middle, and air around it; [0, 1], bone bright."""
    y, x = np.mgrid[:rows, :columns]
    y, x = y / rows, x / columns
    image = np.where(((x - 0.5) / 0.4) ** 2 + ((y - 0.6) / 0.6) ** 2 < 1, 0.7, 0.0) + 0.02 * y
    image[((x - 0.48) / 0.24) ** 2 + ((y - 0.5) / 0.3) ** 2 < 1] = 0.4
    return np.asarray(image)


def film(array: NDArray[np.generic], name: str = "film.png") -> Xray:
    """A radiograph in arbitrary grey units, as if it had been read."""
    return Xray(array.astype(np.float32), "film", name)


def write_dicom(
    path: Path, stored: NDArray[np.generic], syntax: str = ExplicitVRLittleEndian, **attributes: object
) -> None:
    """A CR image of the stored values; attributes set or, by None, remove elements."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ComputedRadiographyImageStorage, generate_uid()
    meta.TransferSyntaxUID = UID(syntax)
    file = FileDataset(
        "",
        Dataset(),
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )
    file.SOPClassUID, file.SOPInstanceUID = ComputedRadiographyImageStorage, meta.MediaStorageSOPInstanceUID
    file.Modality, file.PatientName, file.PatientID = "CR", "Doe^Jane", "SECRET-17"
    file.Rows, file.Columns = stored.shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * stored.dtype.itemsize
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = bits, bits, bits - 1, 0
    file.PixelData = np.ascontiguousarray(stored).tobytes()
    for name, value in attributes.items():
        if value is None:
            delattr(file, name)
        else:
            setattr(file, name, value)
    file.save_as(path, enforce_file_format=True)


def under_another_syntax(path: Path, syntax: str | None) -> None:
    """A DICOM file whose meta information names another transfer syntax than its elements are written in, or none."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<L", whole[140:144])  # of group 2, whose first element ends there
    meta = dcmread(path, stop_before_pixels=True).file_meta
    if syntax is None:
        del meta.TransferSyntaxUID
    else:
        meta.TransferSyntaxUID = UID(syntax)
    stream = DicomBytesIO()
    write_file_meta_info(stream, meta, enforce_standard=False)
    path.write_bytes(whole[:132] + stream.getvalue() + whole[144 + length :])
