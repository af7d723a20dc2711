"""PadChest, Open-i and styles, made up and small."""

from collections.abc import Mapping
import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dx2ct.config import plain
from dx2ct.config.parse import checked
from dx2ct.config.style import FilmsSettings, StyleRunSettings
from tests.fabricate.settings import smoke, xray_settings
from tests.fabricate.xray_files import lateral, pa

PADCHEST_COLUMNS = (
    *("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM"),
    *("ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric", "Modality_DICOM", "Manufacturer_DICOM"),
    *("PhotometricInterpretation_DICOM", "PixelRepresentation_DICOM", "PixelAspectRatio_DICOM"),
    *("SpatialResolution_DICOM", "BitsStored_DICOM", "WindowCenter_DICOM", "WindowWidth_DICOM", "Rows_DICOM"),
    *("Columns_DICOM", "XRayTubeCurrent_DICOM", "Exposure_DICOM", "ExposureInuAs_DICOM", "ExposureTime"),
    *("RelativeXRayExposure_DICOM", "ReportID", "Report", "MethodLabel", "Labels", "Localizations"),
    *("LabelsLocalizationsBySentence", "labelCUIS", "LocalizationsCUIS"),
)
NORMAL = "['normal']"
# name: (folder, patient, projection, children's word, labels, spacing, largest value; 0: constant, None: no file)
PADCHEST_ROWS: dict[str, tuple[str, str, str, str, str, str, int | None]] = {
    "a_pa.png": ("0", "1", "PA", "No", NORMAL, "2.0", 4095),
    "a_l.png": ("0", "1", "L", "No", NORMAL, "", 4095),
    "b_pa.png": ("7", "2", "PA", "No", NORMAL, "0.9", 1023),
    "b_l.png": ("7", "2", "L", "No", NORMAL, "nonsense", 65535),
    "c_pa.png": ("7", "3", "PA", "No", "", "", 65535),  # nobody has labelled it
    "d_pa.png": ("7", "3", "PA", "No", NORMAL, "", 4095),  # a second PA film
    "e_ap.png": ("0", "4", "AP_horizontal", "No", NORMAL, "", 4095),
    "f_pa.png": ("0", "5", "PA", "PED", NORMAL, "", 4095),
    "g_pa.png": ("0", "6", "PA", "No", "['exclude', 'normal']", "", 4095),
    "h_pa.png": ("0", "7", "PA", "No", "['suboptimal study']", "", 4095),
    "gone.png": ("0", "8", "PA", "No", NORMAL, "", None),
    "cut.png": ("7", "9", "PA", "No", NORMAL, "", 4095),
    "flat.png": ("7", "10", "PA", "No", NORMAL, "", 0),
    "../x.png": ("7", "11", "PA", "No", NORMAL, "", None),
}


def padchest(folder: Path) -> Path:
    """Fourteen rows of 36 columns, films in folders 0 and 7; returns the table."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, PADCHEST_COLUMNS, restval="")
        writer.writeheader()
        for number, (name, row) in enumerate(PADCHEST_ROWS.items()):
            place, patient, projection, child, labels, spacing, top = row
            words = {"": number, "ImageID": name, "ImageDir": place, "PatientID": patient, "Projection": projection}
            words |= {"Pediatric": child, "Labels": labels, "SpatialResolution_DICOM": spacing}
            writer.writerow(words)
            if top is not None:
                write_film(folder / place / name, lateral() if projection == "L" else pa(), top)
    cut = folder / "7/cut.png"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    return table


def write_film(path: Path, image: Any, top: int = 65535) -> None:
    """A PNG of 16 bits of an image in [0, 1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), (np.asarray(image) * top).astype(np.uint16))


def films_settings(films: list[Mapping[str, Any]], view: str = "pa", **changes: Any) -> FilmsSettings:
    """Of the smoke configuration's X-rays, 32 pixels a side."""
    values = {"view": view, "films": films, "pixels": 32, "limit": None, "held_out": 0.0, "version": 1}
    return checked(FilmsSettings, values | {"xray": plain(xray_settings().only([view]))} | changes)


def style_settings(view: str = "pa", **train: Any) -> StyleRunSettings:
    """A style of 32 pixels that learns for three steps."""
    model = {"channels": 4, "blocks": 1, "discriminator_channels": 4, "discriminator_layers": 2}
    return checked(
        StyleRunSettings,
        {
            "view": view,
            "pixels": 32,
            "model": model,
            "train": {"steps": 3, "history": 3, "learning_rate": 1e-3} | train,
            "volume": plain(smoke().config.volume),
            "xray": plain(xray_settings().only([view])),
        },
    )
