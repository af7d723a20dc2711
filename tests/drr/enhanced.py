"""A small multi-frame (Enhanced) CT, written anew for every test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid, JPEGLosslessSV1

from tests.drr.jpeg_lossless import encode
from tests.drr.series import AXIAL


def item(**values: Any) -> list[Dataset]:
    """A sequence of one item."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return [dataset]


def enhanced(
    hu: NDArray[np.int16],
    *,
    spacing_mm: Sequence[float] = (2.0, 1.5),
    step_mm: float = 3.0,
    orientation: Sequence[float] = AXIAL,
    origin_mm: Sequence[float] = (-10.0, -20.0, -30.0),
    positions_mm: NDArray[np.float64] | None = None,
    intercept: float = -1024,
    signed: bool = False,
    shared: bool = True,
    compressed: bool = False,
) -> FileDataset:
    """Hu (z, y, x), one frame a slice, with the rescale and the spacing shared or repeated in every frame."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = JPEGLosslessSV1 if compressed else ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = EnhancedCTImageStorage, generate_uid()
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID = EnhancedCTImageStorage, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PatientID, header.SeriesInstanceUID = "CT", "P1", "1.2.3"
    header.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = int(signed)
    header.NumberOfFrames, header.Rows, header.Columns = hu.shape
    common = {
        "PixelMeasuresSequence": item(PixelSpacing=list(spacing_mm), SliceThickness=99),
        "PlaneOrientationSequence": item(ImageOrientationPatient=[f"{one:.8f}" for one in orientation]),
        "PixelValueTransformationSequence": item(RescaleSlope=1, RescaleIntercept=intercept, RescaleType="HU"),
    }
    if positions_mm is None:
        normal = np.cross(orientation[:3], orientation[3:])
        positions_mm = np.array(origin_mm) + np.arange(len(hu))[:, None] * step_mm * normal
    header.SharedFunctionalGroupsSequence = item(**common) if shared else item()
    header.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=[f"{one:.6f}" for one in place]),
            CTImageFrameTypeSequence=item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
            **({} if shared else common),
        )[0]
        for place in positions_mm
    ]
    stored = np.rint(hu - intercept).astype(np.int16 if signed else np.uint16)
    header.PixelData = encapsulate([encode(one) for one in stored]) if compressed else stored.tobytes()
    header["PixelData"].VR = "OB" if compressed else "OW"
    return header


def write_enhanced(path: Path, hu: NDArray[np.int16], **arguments: Any) -> Path:
    """The same as a file in a folder of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    enhanced(hu, **arguments).save_as(path, enforce_file_format=True)
    return path
