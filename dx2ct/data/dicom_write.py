"""A CT volume as a zipped DICOM series: what a scanner would store, with the freedoms that scanners take."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
import uuid
import zipfile

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, UID

from drr.files import replacing

Pixels = NDArray[np.int16 | np.uint16]
ZIP_DATE = (2000, 1, 1, 0, 0, 0)  # fixed, so that equal content means equal bytes
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "dx2ct synthetic thorax phantom")


@dataclass(frozen=True)
class Encoding:
    """How one series stores its HU.

    intercept, signed: stored value = HU - intercept, int16 or uint16.
    padding_hu: HU of the voxels outside the field of view; padding_tagged: whether PixelPaddingValue says so.
    flip_columns, flip_rows: the stored columns run to the patient's right, the rows to the front
        (ImageOrientationPatient says so).
    descending: InstanceNumber counts from the head down.
    thickness_mm: the SliceThickness tag, which need not be the distance between slices.
    """

    intercept: int
    signed: bool
    padding_hu: int
    padding_tagged: bool
    flip_columns: bool
    flip_rows: bool
    descending: bool
    thickness_mm: float

    @property
    def dtype(self) -> type[np.int16] | type[np.uint16]:
        """Of the stored values."""
        return np.int16 if self.signed else np.uint16


def uid(*names: object) -> UID:
    """The UID that belongs to these names: a name-based UUID under the root 2.25, the same on every machine."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(map(str, names))).int}")


def store(hu: NDArray[np.int16], encoding: Encoding) -> Pixels:
    """HU as stored values; HU must be representable (an unsigned encoding ends at its intercept)."""
    stored = hu.astype(np.int32) - encoding.intercept
    limits = np.iinfo(encoding.dtype)
    if stored.min() < limits.min or stored.max() > limits.max:
        raise ValueError(f"HU {hu.min()}..{hu.max()} do not fit {encoding}")
    return stored.astype(encoding.dtype)


def ct_files(
    hu: NDArray[np.int16],
    first_mm: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    common: Dataset,
    encoding: Encoding,
) -> list[bytes]:
    """The files of an axial series, from the feet up.

    hu: (z, y, x); first_mm, spacing_mm: xyz of voxel [0, 0, 0] in LPS and the steps to its neighbours.
    common: the attributes that all files share (ImageType is ORIGINAL, PRIMARY, AXIAL unless it says otherwise); SOP
        instance UIDs are derived from its SeriesInstanceUID.
    """
    nx, ny = hu.shape[2], hu.shape[1]
    sign_x, sign_y = (-1 if encoding.flip_columns else 1), (-1 if encoding.flip_rows else 1)
    x = first_mm[0] + (nx - 1) * spacing_mm[0] * encoding.flip_columns
    y = first_mm[1] + (ny - 1) * spacing_mm[1] * encoding.flip_rows
    stored = store(hu, encoding)[:, ::sign_y, ::sign_x]
    files = []
    for index, image in enumerate(stored):
        z = round(first_mm[2] + index * spacing_mm[2], 4)
        number = len(stored) - index if encoding.descending else index + 1
        own = Dataset()
        own.ImageType = common.get("ImageType") or ["ORIGINAL", "PRIMARY", "AXIAL"]
        own.ImagePositionPatient = [round(x, 4), round(y, 4), z]
        own.ImageOrientationPatient = [sign_x, 0, 0, 0, sign_y, 0]
        own.SliceLocation = z
        own.SliceThickness = encoding.thickness_mm
        own.PixelSpacing = [round(spacing_mm[1], 6), round(spacing_mm[0], 6)]
        files.append(_file(common, own, number, image, encoding))
    return files


def localizer_files(
    hu: NDArray[np.int16],
    first_mm: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    common: Dataset,
    encoding: Encoding,
) -> list[bytes]:
    """Two scout images, frontal and lateral, head up: mean HU along the rays, placed in the middle of the scan.

    Arguments as in `ct_files`.
    """
    last_mm = np.add(first_mm, np.multiply(hu.shape[::-1], spacing_mm)) - spacing_mm
    files = []
    for number, (ray, right) in enumerate(((1, 0), (0, 1)), start=1):  # xyz axes along the ray and the columns
        corner = np.where(np.arange(3) == ray, np.add(first_mm, last_mm) / 2, first_mm)
        corner[2] = last_mm[2]
        own = Dataset()
        own.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        own.ImagePositionPatient = [round(float(value), 4) for value in corner]
        own.ImageOrientationPatient = [*np.eye(3, dtype=int)[right].tolist(), 0, 0, -1]
        own.SliceThickness = round(float(last_mm[ray] - first_mm[ray]), 1)
        own.PixelSpacing = [round(spacing_mm[2], 6), round(spacing_mm[right], 6)]
        mean = np.maximum(hu, -1000).mean(axis=2 - ray)[::-1]
        files.append(_file(common, own, number, store(np.rint(mean).astype(np.int16), encoding), encoding))
    return files


def _file(common: Dataset, own: Dataset, number: int, image: Pixels, encoding: Encoding) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid(common.SeriesInstanceUID, number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation")
    file = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    file.update(common)
    file.update(own)
    file.SOPClassUID = CTImageStorage
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    file.InstanceNumber = number
    file.Rows, file.Columns = image.shape
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    file.PixelRepresentation = int(encoding.signed)
    file.RescaleIntercept, file.RescaleSlope, file.RescaleType = encoding.intercept, 1, "HU"
    if encoding.padding_tagged:
        stored = encoding.padding_hu - encoding.intercept
        file.add_new("PixelPaddingValue", "SS" if encoding.signed else "US", stored)
    file.PixelData = np.ascontiguousarray(image).tobytes()
    buffer = BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write_zip(files: dict[str, bytes], output: Path) -> None:
    """Write named contents in the order given, deflated; whole or not at all, and the same bytes every time."""
    with replacing(output) as part, zipfile.ZipFile(part, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, compresslevel=4)
