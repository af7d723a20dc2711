"""LUNA16, CT-RATE and LIDC-IDRI in small: their trees and names, with made-up volumes of 120 mm in them."""

from collections.abc import Iterable, Mapping
import csv
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.volume import Volume
from dx2ct.config.data import MANIFEST
from dx2ct.data.cohort.selection import read_rows, Row
from tests.conftest import ROOT
from tests.drr.series import body, write_series

SPACING_MM, ORIGIN_MM = (6.0, 8.0, 10.0), (-10.0, -20.0, -30.0)
SLOPE, INTERCEPT = 2.0, -1024.0


def lidc(*scans: str) -> list[Row]:
    """Rows of the table of LIDC-IDRI by the names of their scans."""
    rows = {row["scan"]: row for row in read_rows(ROOT / MANIFEST)}
    return [rows[scan] for scan in scans]


def luna16(folder: Path, subsets: Mapping[int, Iterable[str]]) -> Path:
    """{subset: scans of LIDC-IDRI} as subset0/UID.mhd with its .raw, and a mask beside them."""
    for subset, scans in subsets.items():
        for row in lidc(*scans):
            write_mhd(folder / f"subset{subset}" / f"{row['series_uid']}.mhd")
            write_mhd(folder / "seg-lungs-LUNA16" / f"{row['series_uid']}.mhd", (body() > 0).astype(np.int16))
    return folder


def write_mhd(path: Path, hu: NDArray[np.int16] | None = None) -> Path:
    """A MetaImage header with its voxels beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(Volume(body() if hu is None else hu, SPACING_MM, ORIGIN_MM).to_sitk(), str(path))
    return path


def lidc_series(folder: Path, scan: str) -> Path:
    """A DICOM series under the UID and PatientID of a scan of LIDC-IDRI."""
    (row,) = lidc(scan)
    return write_series(folder / scan, patient=row["patient"], uid=row["series_uid"])


def ct_rate(folder: Path, volumes: Iterable[str], tree: str = "fixed", metadata: bool = True) -> Path:
    """Volumes such as train_1_a_1 in train_fixed/ and valid_fixed/.

    tree: "raw" in train/ and valid/, as they were first published. metadata: of these the tables, too.
    """
    volumes = list(volumes)
    for name in volumes:
        part, number, scan, _ = name.split("_")
        root = folder / "dataset" / (part if tree == "raw" else f"{part}_fixed")
        path = root / f"{part}_{number}" / f"{part}_{number}_{scan}" / f"{name}.nii.gz"
        write_raw(path) if tree == "raw" else Volume(body(), SPACING_MM, ORIGIN_MM).write(path)
    if tree == "raw" and metadata:
        for part, table in (("train", "train_metadata.csv"), ("valid", "validation_metadata.csv")):
            rows = [metadata_row(name) for name in volumes if name.startswith(part)]
            write_metadata(folder / "dataset/metadata" / table, rows or [metadata_row("none")])
    return folder


def write_raw(path: Path) -> Path:
    """The same volume as a scanner stores it, under a blank header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.rint((body() - INTERCEPT) / SLOPE).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(stored.transpose(2, 1, 0), np.eye(4)), path)
    return path


def metadata_row(name: str, **cells: str) -> dict[str, str]:
    """What the metadata says of a volume; `cells` say it otherwise."""
    x, y, z = SPACING_MM
    return {
        "VolumeName": f"{name}.nii.gz",
        "Manufacturer": "none",
        "RescaleIntercept": f"{INTERCEPT}",
        "RescaleSlope": f"{SLOPE}",
        "XYSpacing": f"[{x}, {y}]",
        "ZSpacing": f"{z}",
        "ImageOrientationPatient": "[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]",
        "ImagePositionPatient": str(list(ORIGIN_MM)),
    } | cells


def write_metadata(path: Path, rows: list[dict[str, str]]) -> Path:
    """A table of metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
