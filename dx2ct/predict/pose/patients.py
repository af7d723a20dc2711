"""Patients that the judge of films learns from: varied phantoms, and changed copies of real scans, in one cube."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
import torch

from drr.ct.read import read_chest
from drr.geometry import ConeBeam, View
from drr.physics.materials import path_lengths
from drr.volume import AIR_HU
from dx2ct.config import VolumeSettings, XraySettings
from dx2ct.config.augment import AugmentSettings
from dx2ct.data.augment.copies import Copier
from dx2ct.data.augment.exposure import BEYOND
from dx2ct.data.augment.surroundings import body
from dx2ct.data.augment.warp import rotation
from dx2ct.data.grid import CubeGrid
from dx2ct.data.sources.phantom.anatomy import draw_varied, render

GRID = CubeGrid(96, 4.4)
PIXELS, FIELD_MM = 96, 424.0  # of an image, and what it shows in the plane of the isocentre
BEAMS = 2  # of each patient
_CHANGES = AugmentSettings(rotation_deg=7, scale=0.12, stretch=0.1, couch=0.5, arms=0.25, field_of_view=0)
_LUNG_HU, _SMALLEST_LUNG, _SLIVER = -500, 0.2, 0.04
_NECK, _TAPER_MM = (0.3, 0.5), 90.0  # of the width and the depth of the uppermost slice; how far above it
Volume = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Exposed:
    """X-rays of a patient in one beam, FIELD_MM a side: mm of soft tissue and of bone, (2, row, column).

    lungs: where they end above and below, as shares of the image's height, NaN where the scan cuts them off.
    """

    pa: NDArray[np.float16]
    lateral: NDArray[np.float16]
    lungs: tuple[float, float]


def phantom(seed: int) -> Volume:
    """HU (z, y, x) on GRID of a varied phantom: all of the patient that a film may show."""
    anatomy = draw_varied(seed)
    axis = (np.arange(GRID.size) - (GRID.size - 1) / 2) * GRID.spacing_mm
    hu = render(anatomy, axis, axis, axis + anatomy.shift_mm[2], 0.15 * GRID.spacing_mm)
    return np.rint(np.maximum(hu, AIR_HU)).astype(np.int16)


def scan(path: Path) -> tuple[Volume, bool]:
    """HU (z, y, x) on GRID of a CT, and whether it shows the whole lungs. Above and below the scan the body goes on."""
    from dx2ct.data.prepare.volume import to_cube

    hu = to_cube(read_chest(path), VolumeSettings(spacing_mm=GRID.spacing_mm, size=GRID.size, z_part="center")).array
    there = np.flatnonzero((hu > AIR_HU + 100).any(axis=(1, 2)))
    first, last = int(there[0]), int(there[-1])
    ends = lungs(np.asarray(hu, np.int16))
    whole = first + 1 < ends[1] and ends[0] < last - 1
    return _going_on(np.asarray(hu, np.int16), first, last), bool(whole)


def _going_on(hu: Volume, first: int, last: int) -> Volume:
    """Below the lowest slice the same once more, above the uppermost a neck: slices ever narrower."""
    hu = hu.copy()
    hu[:first] = hu[first]
    middle = (GRID.size - 1) / 2
    for number in range(last + 1, len(hu)):
        share = min((number - last) * GRID.spacing_mm / _TAPER_MM, 1.0)
        deep, wide = (1 + share * (1 / least - 1) for least in _NECK[::-1])
        hu[number] = ndimage.affine_transform(
            hu[last], [deep, wide], [middle * (1 - deep), middle * (1 - wide)], order=1, cval=AIR_HU
        )
    return hu


def lungs(hu: Volume) -> tuple[float, float]:
    """The uppermost and the lowest slice of air inside the body, counted from the feet; NaN without any."""
    inside = np.stack([ndimage.binary_fill_holes(part) for part in hu > -400]) & (hu < _LUNG_HU)
    labels, count = ndimage.label(ndimage.binary_erosion(inside))
    if not count:
        return np.nan, np.nan
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.isin(labels, 1 + np.flatnonzero(sizes > _SMALLEST_LUNG * sizes.max()))
    areas = kept.sum(axis=(1, 2))
    there = np.flatnonzero(areas > _SLIVER * areas.max())
    return float(there[-1]), float(there[0])


def exposed(generator: np.random.Generator, hu: Volume, whole: bool = True) -> Iterator[Exposed]:
    """BEAMS pairs of X-rays, each in a random beam between the training's and a chest film's, the patient tilted."""
    above, below = lungs(hu) if whole else (np.nan, np.nan)
    height = FIELD_MM / GRID.spacing_mm
    ends = tuple(0.5 - (slice_ - (GRID.size - 1) / 2) / height for slice_ in (above, below))
    for _ in range(BEAMS):
        views = [_view(generator, name) for name in ("pa", "lateral")]
        pa, lateral = path_lengths(GRID.volume(hu), views, threads=1).astype(np.float16)
        yield Exposed(pa, lateral, (ends[0], ends[1]))


def _view(generator: np.random.Generator, name: str) -> View:
    source = generator.choice([generator.uniform(541, 900), generator.uniform(1100, 1900)], p=[0.3, 0.7])
    enlarged = max(generator.uniform(1.08, 1.3) if source > 900 else generator.uniform(1.3, 1.75), BEYOND)
    beam = ConeBeam(source, source * enlarged, FIELD_MM * enlarged, PIXELS)
    turn = rotation(generator.uniform(-5, 5, 3))
    to_source = turn @ {"pa": (0.0, 1.0, 0.0), "lateral": (1.0, 0.0, 0.0)}[name]
    return beam.looking(_three(to_source), (0.0, 0.0, 0.0), _three(turn @ (0.0, 0.0, 1.0)), from_detector=name == "pa")


def _three(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return x, y, z


def copies(generator: np.random.Generator, hu: Volume, count: int) -> Iterator[Volume]:
    """Warped copies of a patient, some without couch and some with made-up arms."""
    copier = Copier(_CHANGES, XraySettings(), ("pa", "lateral"), GRID, PIXELS, torch.device("cpu"))
    patient = body(hu, GRID.spacing_mm)
    for _ in range(count):
        yield copier.changed(generator, hu, patient).numpy().astype(np.int16)
