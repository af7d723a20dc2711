"""X-rays for tests: films in pictures and in DICOM, and a run that no one has trained."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    generate_uid,
    ImplicitVRLittleEndian,
)
from safetensors.torch import save_file
import torch

from dx2ct.config import dump, Dx2ctSettings, parse
from dx2ct.methods.dx2ct.network import DX2CT
from tests.dx2ct.settings_for_tests import tiny


def pa(rows: int = 200, columns: int = 160) -> NDArray[np.float64]:
    """A body with two lungs and a middle between them, one lung a little smaller; [0, 1], bone bright."""
    y, x = np.mgrid[:rows, :columns]
    y, x = y / rows, x / columns
    film = np.where(abs(x - 0.5) < 0.45, 0.7, 0.0) + 0.02 * y
    film[((x - 0.28) / 0.13) ** 2 + ((y - 0.45) / 0.32) ** 2 < 1] = 0.2
    film[((x - 0.72) / 0.11) ** 2 + ((y - 0.45) / 0.30) ** 2 < 1] = 0.22
    film[abs(x - 0.5) < 0.06] += 0.2
    return np.asarray(film)


def lateral(rows: int = 200, columns: int = 160) -> NDArray[np.float64]:
    """A body with one lung in its middle, and air around it; [0, 1], bone bright."""
    y, x = np.mgrid[:rows, :columns]
    y, x = y / rows, x / columns
    film = np.where(((x - 0.5) / 0.4) ** 2 + ((y - 0.6) / 0.6) ** 2 < 1, 0.7, 0.0) + 0.02 * y
    film[((x - 0.48) / 0.24) ** 2 + ((y - 0.5) / 0.3) ** 2 < 1] = 0.4
    return np.asarray(film)


def write_dicom(
    path: Path, stored: NDArray[np.generic], syntax: str = ExplicitVRLittleEndian, **attributes: object
) -> None:
    """A CR image of the stored values; attributes set or, by None, remove elements."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ComputedRadiographyImageStorage, generate_uid()
    meta.TransferSyntaxUID = syntax
    order = {"is_implicit_VR": syntax == ImplicitVRLittleEndian, "is_little_endian": syntax != ExplicitVRBigEndian}
    file = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128, **order)
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


def write_model(folder: Path, text: str | None = None) -> Path:
    """A run's folder with the random weights of a fixed seed."""
    text = text or tiny()
    folder.mkdir(parents=True)
    parsed = parse(Dx2ctSettings, text)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    weights = {  # noise as well: the last layers start at zero, and every volume would be the same
        name: value + 0.1 * torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in DX2CT(parsed).state_dict().items()
    }
    save_file(weights, folder / "weights.safetensors")
    (folder / "settings.json").write_text(dump(parsed))
    return folder


def changed(text: str, section: str, **values: object) -> str:
    """Settings with other values in one section."""
    settings = json.loads(text)
    settings[section] |= values
    return json.dumps(settings)
