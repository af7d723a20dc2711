"""Films of phantoms as DICOM series with the variety of real headers, as an archive serves them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import DigitalXRayImageStorageForPresentation

from drr.caster import render
from drr.geometry import PRESETS
from drr.volume import Volume
from tests.fabricate.xray_files import write_dicom

BEAM = PRESETS["chest_film"].with_pixels(192)
SPACING = {"ImagerPixelSpacing": [BEAM.pixel_mm[0]] * 2, "DistanceSourceToDetector": BEAM.source_detector_mm}


@dataclass(frozen=True)
class Shot:
    """One image of a series. view: what it shows; header: elements over those that all have; negative: MONOCHROME1.

    border: pixels of a burned collimator at each side.
    """

    view: str
    header: Mapping[str, Any] = field(default_factory=dict)
    negative: bool = False
    border: int = 0


def write_shots(folder: Path, uid: str, volume: Volume, shots: list[Shot]) -> list[bytes]:
    """The files of a series, 12 bits in 16, grey by a sigmoid curve of the line integrals."""
    folder.mkdir(parents=True)
    files = []
    for number, shot in enumerate(shots, start=1):
        path = folder / f"{number}.dcm"
        grey = film_of(volume, shot)
        sop = f"{uid}.{number}"
        common: dict[str, Any] = {"Modality": "DX", "SOPInstanceUID": sop}
        common["SOPClassUID"] = DigitalXRayImageStorageForPresentation
        common |= {"SeriesInstanceUID": uid, "InstanceNumber": number, "BitsStored": 12, "HighBit": 11}
        common |= {"PhotometricInterpretation": "MONOCHROME1" if shot.negative else "MONOCHROME2"}
        write_dicom(path, grey, **common, **shot.header)
        files.append(path.read_bytes())
    return files


def film_of(volume: Volume, shot: Shot) -> NDArray[np.uint16]:
    """Stored values, (row, column)."""
    integrals = render(volume, [BEAM.view(shot.view, volume.centre_mm)], threads=1)[0]
    share = integrals / np.percentile(integrals, 99)
    grey = 4095 / (1 + np.exp(-6 * (share - 0.5)))
    if shot.border:
        inside = np.zeros(grey.shape, bool)
        inside[shot.border : -shot.border, shot.border : -shot.border] = True
        grey = np.where(inside, grey, 4095)
    return np.asarray(np.rint(4095 - grey if shot.negative else grey), np.uint16)
