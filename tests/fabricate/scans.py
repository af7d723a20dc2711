"""Scans of noise or of a body, prepared by the stages themselves, and the sheet that names them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import SlicesSettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.prepare.slices import make_slices
from dx2ct.data.prepare.xrays import make_xrays
from tests.fabricate.settings import SIZE, smoke, xray_settings

Array = NDArray[np.int16]
SPLITS = {"scan-0": "train", "scan-1": "train", "scan-2": "train", "scan-3": "test"}
XRAY_PIXELS = 64


def noise(seed: int, size: int = 80) -> Array:
    """A cube of noise, (z, y, x) HU: nothing to learn, everything to tell apart."""
    return np.random.default_rng(seed).integers(-1000, 400, (size,) * 3).astype(np.int16)


def body(
    number: int, size: int = SIZE, wider: float = 1.0, lung: tuple[float, float, float] = (5.0, 6.0, 12.0)
) -> Array:
    """An ellipse of soft tissue with a lung at the patient's left, (z, y, x) HU.

    number: moves the lung along y. wider: a factor of the ellipse's half axes, 14 and 10 of 32 voxels. lung: its half
    axes x, y, z in 32nds of the cube.
    """
    z, y, x = (np.mgrid[:size, :size, :size] - size / 2) * (32 / size)
    volume = np.full((size,) * 3, -1024, dtype=np.int16)
    volume[(x / (14 * wider)) ** 2 + (y / (10 * wider)) ** 2 < 1] = 40
    volume[((x - 5) / lung[0]) ** 2 + ((y + number) / lung[1]) ** 2 + (z / lung[2]) ** 2 < 1] = -850
    return volume


def write_scan(data: Path, scan: str, hu: Array, size: int = SIZE, x_mm: float = 0.0) -> None:
    """Volume, X-rays of VIEWS and slices of a cube as wide as the smoke configuration's; x_mm moves it."""
    spacing = smoke().config.volume.side_mm / len(hu)
    place = (-150.0 + x_mm, -160.0, 1000.0)  # a table's coordinates, not the isocentre
    path = layout.volume(data, scan)
    Volume(hu, (spacing,) * 3, place).write(path)
    make_xrays(path, xray_settings(), layout.xray(data, scan, "pa").parent, threads=1)
    make_slices(path, SlicesSettings(size), layout.stack(data, scan, "axial").parent)


def cohort(data: Path, splits: Mapping[str, str] | None = None, size: int = SIZE) -> Path:
    """Scans of noise and their sheet, data/sheet.tsv; returns `data`."""
    splits = splits or SPLITS
    for number, scan in enumerate(splits):
        write_scan(data, scan, noise(number), size, x_mm=number)
    write_sheet(data / "sheet.tsv", splits)
    return data


def rows(splits: Mapping[str, str] | None = None) -> list[Row]:
    """The sheet's rows of {scan: split}, each scan a patient."""
    return [Row(scan, scan, "", "", split) for scan, split in (splits or SPLITS).items()]


def write_sheet(path: Path, splits: Mapping[str, str], seeds: bool = False, further: Sequence[str] = ()) -> None:
    """A sheet of {scan: split}, each scan a patient.

    seeds: with the column seed of phantoms. further: lines as they are.
    """
    head = ["scan", "patient", "path", "series_uid", "split", *["seed"] * seeds]
    lines = [[scan, f"patient-{scan}", "", "", split, *["9"] * seeds] for scan, split in splits.items()]
    path.write_text("\n".join(["\t".join(line) for line in (head, *lines)] + list(further)) + "\n")
