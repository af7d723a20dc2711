"""Balls of soft tissue with a lung in them: the simplest cohort."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from dx2ct.data.dicom_write import ct_files, Encoding, uid, write_zip
from dx2ct.data.sources import Source

PLAIN = Encoding(-1024, True, -1024, False, False, False, False, 8.0)


def fetch(row: Mapping[str, str], sheet: Path, settings: str, output: Path) -> None:
    """Write a ball of the row's radius as a zipped series."""
    z, y, x = np.mgrid[-20:20, -20:20, -20:20] * 8.0
    distance = np.sqrt(x**2 + y**2 + z**2)
    hu = np.where(distance < float(row["radius"]), 40, -1000)
    hu[np.hypot(np.hypot(x - 40, y), z) < 30] = -850
    common = Dataset()
    common.SeriesInstanceUID, common.PatientID, common.Modality = uid("ball", row["scan"]), row["patient"], "CT"
    files = ct_files(hu.astype(np.int16), (-160.0, -160.0, -160.0), (8.0, 8.0, 8.0), common, PLAIN)
    write_zip({f"{number}.dcm": content for number, content in enumerate(files)}, output)


SOURCE = Source(
    "ball",
    "balls",
    ("path", "split", "radius"),
    fetch=f"{__name__}:fetch",
    tracked=lambda row: {"radius": row["radius"]},
)
