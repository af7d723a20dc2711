"""Back-projection, plain or filtered, and SART: functions of line integrals, views and a grid.

Images are (view, row, column) line integrals (1/mm times mm, without unit), volumes (z, y, x) attenuation in 1/mm.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drr.geometry import View
from drr.progress import each
from drr.projector import Projector
from drr.volume import Volume

Array = NDArray[np.float32]
_LEAST_MM = 1e-3  # of a ray in the grid, or of rays in a voxel: less is a miss


def backprojected(images: Array, views: Sequence[View], grid: Volume, filter: Literal["none", "ramp"]) -> Array:
    """The mean over views of what the rays through a voxel carry.

    none: a ray carries its integral over its length in the grid; ramp: its filtered integral, as FDK (Feldkamp, Davis
    and Kress 1984) does, up to a constant factor. Voxels that no ray of a view meets take no part.
    """
    total, seen = np.zeros(grid.array.shape), np.zeros(grid.array.shape)
    for image, view in zip(images, views, strict=True):
        one = Projector(grid, [view])
        carried = ramp_filtered(image, view) if filter == "ramp" else _over(image, _lengths(one)[0])
        covered = _covered(one)
        weight = _magnification(view, grid) ** 2 if filter == "ramp" else 1.0
        total += weight * _over(one.T(carried[None]), covered)
        seen += covered > _LEAST_MM
    return np.asarray(total / np.maximum(seen, 1), np.float32)


def ramp_filtered(image: Array, view: View) -> Array:
    """FDK's cosine weight, then Ram and Lakshminarayanan's filter along the rows (Kak and Slaney 1988, eq. 3.61).

    image: (row, column) of a view whose central ray meets the middle of the detector.
    """
    columns, distance = image.shape[1], view.source_detector_mm
    height, width = view.pixel_mm
    v = (np.arange(image.shape[0])[:, None] - (image.shape[0] - 1) / 2) * height
    u = (np.arange(columns) - (columns - 1) / 2) * width
    weighted = image * distance / np.sqrt(distance**2 + u**2 + v**2)
    n = np.arange(2 * columns) - columns
    odd = n % 2 == 1
    kernel = np.where(n == 0, 0.25, 0.0)
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    spectrum = np.fft.rfft(np.fft.ifftshift(kernel)) * np.fft.rfft(weighted, 2 * columns)
    return np.asarray(np.fft.irfft(spectrum)[:, :columns] / width, np.float32)


def sart(images: Array, views: Sequence[View], grid: Volume, iterations: int, relaxation: float, start: Array) -> Array:
    """SART (Andersen and Kak 1984), one view after the other, from a start volume; never negative.

    A ray's error, over its length in the grid, is spread over the voxels that it crosses.
    """
    mu = start
    parts = [(one, _lengths(one), _covered(one)) for one in (Projector(grid, [view]) for view in views)]
    for _ in each(range(iterations), "SART", "iteration"):
        for image, (one, length, cover) in zip(images, parts, strict=True):
            step = _over(one.T(_over(image - one(mu), length)), cover)
            mu = np.maximum(mu + np.float32(relaxation) * step, 0)
    return mu


def _lengths(projector: Projector) -> Array:
    """Millimetres of every ray in the grid, (view, row, column)."""
    return projector(np.ones(projector.domain_shape, np.float32))


def _covered(projector: Projector) -> Array:
    """Millimetres of all rays together in every voxel, (z, y, x)."""
    return projector.T(np.ones(projector.range_shape, np.float32))


def _magnification(view: View, grid: Volume) -> Array:
    """Depth of the grid's centre over the voxel's own, along the ray through that centre, (z, y, x)."""
    index = np.moveaxis(np.indices(grid.array.shape)[::-1], 0, -1)  # (z, y, x, xyz)
    points = grid.origin_mm + index * grid.spacing_mm @ np.reshape(grid.direction, (3, 3)).T - grid.centre_mm
    to_source = np.array(view.source_mm) - grid.centre_mm
    distance = np.linalg.norm(to_source)
    return np.asarray(distance / (distance - points @ to_source / distance), np.float32)


def _over(value: Array, size: Array) -> Array:
    """value / size, 0 where there is as good as nothing to divide by."""
    return np.asarray(np.where(size > _LEAST_MM, value / np.maximum(size, _LEAST_MM), 0), np.float32)
