"""A reconstruction as a DICOM CT series that no one can take for a measured one."""

from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from drr.volume import AIR_HU, Volume
from dx2ct.data.dicom_write import ct_files, Encoding

DESCRIPTION = "SYNTHESIZED from X-ray by DX2CT, research only"
_WARNING = "Synthesized by a neural network from X-rays. Research use only, not a medical device, no diagnosis."
_PREFIX = "2.25."  # UUIDs: no registered root is needed


def write_series(volume: Volume, folder: Path) -> None:
    """Write one .dcm a slice into a new folder; every UID is new and nothing of the X-rays' patient is in it."""
    spacing = volume.spacing_mm
    encoding = Encoding(AIR_HU, False, AIR_HU, False, False, False, False, round(spacing[2], 4))
    files = ct_files(volume.array.astype(np.int16), volume.origin_mm, spacing, _common(), encoding)
    folder.mkdir()
    for number, content in enumerate(files, start=1):
        (folder / f"{number:04d}.dcm").write_bytes(content)


def _common() -> Dataset:
    now = datetime.now()
    common = Dataset()
    common.SpecificCharacterSet = "ISO_IR 192"
    common.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    common.SyntheticData = "YES"
    common.DerivationDescription = common.ImageComments = _WARNING
    common.SeriesDescription, common.StudyDescription = DESCRIPTION, DESCRIPTION
    common.PatientName, common.PatientID = "SYNTHESIZED", "SYNTHESIZED"
    common.PatientBirthDate = common.PatientSex = ""
    common.StudyInstanceUID, common.SeriesInstanceUID = generate_uid(prefix=_PREFIX), generate_uid(prefix=_PREFIX)
    common.FrameOfReferenceUID = generate_uid(prefix=_PREFIX)
    common.StudyID, common.AccessionNumber, common.ReferringPhysicianName = "", "", ""
    common.StudyDate = common.SeriesDate = common.ContentDate = now.strftime("%Y%m%d")
    common.StudyTime = common.SeriesTime = common.ContentTime = now.strftime("%H%M%S")
    common.Modality, common.BodyPartExamined, common.PatientPosition = "CT", "CHEST", "HFS"
    common.Manufacturer, common.PositionReferenceIndicator = "dx2ct", ""
    common.SeriesNumber, common.AcquisitionNumber = 1, 1
    common.KVP = None
    common.BurnedInAnnotation = "NO"
    return common
