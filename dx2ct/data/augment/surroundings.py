"""What lies around a patient in a scan: the couch, arms beside the body, and where the field of view ends."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
import torch
from torch import Tensor

from drr.volume import AIR_HU

Generator = np.random.Generator
BODY_HU = -400.0
OPENING_MM = 8.0  # what is thinner is cut off: a couch's shells, the contact of couch and back
HUMERUS_HU, MUSCLE_HU = 500.0, 40.0


def body(hu: NDArray[np.int16], voxel_mm: float) -> NDArray[np.bool_]:
    """Voxels (z, y, x) of the patient, lungs and bowel gas with them, without couch and arms that lie apart."""
    steps = max(round(OPENING_MM / 2 / voxel_mm), 1)
    cross = ndimage.generate_binary_structure(3, 1)
    filled = np.stack([ndimage.binary_fill_holes(slice_) for slice_ in hu > BODY_HU])
    labels, count = ndimage.label(ndimage.binary_opening(filled, cross, iterations=steps))
    if not count:
        return np.ones_like(filled)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(ndimage.binary_dilation(largest, cross, iterations=steps + 1))


def add_couch(generator: Generator, hu: Tensor, side_mm: float) -> Tensor:
    """A couch behind the back: a foam body between two shells, flat or hollow. HU (z, y, x) float32."""
    size = hu.shape[0]
    axis = _millimetres(size, side_mm, hu.device)
    x, y = axis, axis[:, None]
    gap, thick, shell = generator.uniform([0, 15, 1.5], [8, 60, 4])
    bend = generator.choice([0.0, generator.uniform(1 / 1200, 1 / 350)])  # over 2: one over the radius
    half = generator.uniform(0.5, 0.85) * side_mm / 2 * 1.25
    top = _back(hu, axis) + gap - bend / 2 * x**2
    voxel = side_mm / size
    inside = _within(y - (top + thick / 2), thick / 2, voxel) * _within(x, half, voxel)
    foam = _within(y - (top + thick / 2), max(thick / 2 - shell, 0.0), voxel) * _within(x, half, voxel)
    foam_hu, shell_hu = generator.uniform([-980, -600], [-850, 50])
    air = float(AIR_HU)
    couch = air + (shell_hu - air) * (inside - foam) + (foam_hu - air) * foam
    return torch.maximum(hu, couch)


def add_arms(generator: Generator, hu: Tensor, side_mm: float) -> Tensor:
    """Two upper arms beside the body, as of a patient who cannot lift them; the parts within the cube."""
    size = hu.shape[0]
    axis = _millimetres(size, side_mm, hu.device)
    x, y, z = axis, axis[:, None], axis[:, None, None]
    voxel = side_mm / size
    for sign in (-1.0, 1.0):
        radius, bone = generator.uniform([32, 9], [50, 13])
        lean_x, lean_y = generator.uniform(-0.15, 0.15, 2)
        edge = _flank(hu, axis, sign)
        x0 = edge + sign * (radius + generator.uniform(0, 15)) + lean_x * z
        distance = torch.sqrt((x - x0) ** 2 + (y - generator.uniform(-30, 30) - lean_y * z) ** 2)
        arm, humerus = (_within(distance, r, voxel) for r in (radius, bone))
        air = float(AIR_HU)
        made = air + (MUSCLE_HU - air) * (arm - humerus) + (HUMERUS_HU - air) * humerus
        hu = torch.where(hu > BODY_HU, hu, torch.maximum(hu, made))
    return hu


def cut_circle(generator: Generator, hu: Tensor, side_mm: float) -> Tensor:
    """Air outside a circle in the axial plane, as a small field of view leaves it."""
    axis = _millimetres(hu.shape[0], side_mm, hu.device)
    radius = generator.uniform(0.4, 0.55) * side_mm
    x, y = generator.uniform(-0.03, 0.03, 2) * side_mm
    outside = (axis - x) ** 2 + (axis[:, None] - y) ** 2 > radius**2
    return hu.masked_fill(outside, float(AIR_HU))


def cut_height(generator: Generator, hu: Tensor) -> Tensor:
    """Air below and above a shorter scan, which lies in the middle."""
    size = hu.shape[0]
    kept = round(generator.uniform(0.65, 1) * size)
    low = (size - kept) // 2
    cut = torch.full_like(hu, float(AIR_HU))
    cut[low : low + kept] = hu[low : low + kept]
    return cut


def _millimetres(size: int, side_mm: float, device: torch.device) -> Tensor:
    """Voxel centres along an axis, 0 in the middle."""
    return ((torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size - 0.5) * side_mm


def _within(distance: Tensor, half: float, voxel: float) -> Tensor:
    """Share of a voxel that lies within `half` of a surface or axis."""
    return ((half - distance.abs()) / voxel + 0.5).clamp(0, 1)


def _back(hu: Tensor, axis: Tensor) -> float:
    """Where the back ends in the middle of the body: y in mm, the median over z."""
    middle = (hu[:, :, axis.abs() < axis.abs().max() / 4] > BODY_HU).any(dim=2)  # (z, y)
    return _last(middle, axis)


def _flank(hu: Tensor, axis: Tensor, sign: float) -> float:
    """Where a side of the body ends, x in mm: the median over z."""
    columns = (hu > BODY_HU).any(dim=1)  # (z, x)
    return sign * _last(columns.flip(1) if sign < 0 else columns, axis)


def _last(there: Tensor, axis: Tensor) -> float:
    """The last place along the second axis, the median over rows that have one; the border where none has."""
    rows = there[there.any(dim=1)]
    if not len(rows):
        return float(axis[-1])
    numbers = len(axis) - 1 - rows.flip(1).float().argmax(dim=1)
    return float(axis[int(numbers.median())])
