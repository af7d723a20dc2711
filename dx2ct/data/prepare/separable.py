"""Resampling of a volume along its axes, one at a time: the weights of every axis are one matrix with a narrow band.

The values are those of a resampling in 3D; the work is a fraction of it, because most of every matrix is zero.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Weights = NDArray[np.float32]
Positions = NDArray[np.float64]
Bands = list[tuple[slice, slice, Weights]]
_ROWS = 32  # of a matrix applied at once: few enough that their bands are narrow together
# Looked for once, while this is imported: a search walks the loaded libraries under the loader's lock and needs
# Python's for each of them, and a thread that imports an extension at that moment holds the two the other way round.
_BLAS = ThreadpoolController()
_NEGLIGIBLE = 1e-6  # weights of a B-spline fade by 0.27 a voxel; what is dropped sums to less than 0.01 HU


def linear(old: int, positions: Positions) -> Weights:
    """Row i: the weights of `old` voxels at positions[i], in voxels; (new, old). Rows outside the voxels are zero."""
    place = np.clip(positions, 0, old - 1)
    base = np.minimum(np.floor(place).astype(int), old - 2)
    share = (place - base)[:, None]
    identity = np.eye(old)
    return _inside(positions, (1 - share) * identity[base] + share * identity[base + 1])


def bspline(old: int, positions: Positions) -> Weights:
    """Row i: the weights of `old` voxels in their cubic B-spline at positions[i], in voxels; (new, old).

    Its coefficients are those of a signal mirrored at its ends (Unser 1999), as in ITK. Rows outside are zero.
    """
    samples = np.zeros((old, old))  # B-splines at the voxels
    voxels = np.arange(old)
    for step, value in ((-1, 1 / 6), (0, 4 / 6), (1, 1 / 6)):
        np.add.at(samples, (voxels, _mirrored(voxels + step, old)), value)
    with _BLAS.limit(limits=1, user_api="blas"):
        coefficients = np.linalg.inv(samples)
    base = np.floor(positions).astype(int)
    t = positions - base
    taps = (1 - t) ** 3 / 6, 2 / 3 - t**2 + t**3 / 2, 2 / 3 - (1 - t) ** 2 + (1 - t) ** 3 / 2, t**3 / 6
    rows = sum(tap[:, None] * coefficients[_mirrored(base + k - 1, old)] for k, tap in enumerate(taps))
    return _inside(positions, np.where(np.abs(rows) < _NEGLIGIBLE, 0, rows))


def area(old: int, new: int) -> Weights:
    """Row i: the share of new cell i that each of the old cells covers, (new, old); rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    low = np.maximum(edges[:-1, None], np.arange(old))
    high = np.minimum(edges[1:, None], np.arange(1, old + 1))
    return np.asarray(np.clip(high - low, 0, None) * (new / old), dtype=np.float32)


def apply(weights: Sequence[Weights], array: NDArray[Any], outside: float = 0.0) -> NDArray[np.float32]:
    """A (z, y, x) array multiplied along each axis by its matrix, slice by slice: no float copy of the whole is made.

    outside: what is there where a matrix has a row of zeros; the rows of others must sum to 1 unless it is 0.

    BLAS runs on one thread: its threads would wait for each other at every one of many small products.
    """
    result = np.full([len(one) for one in weights], outside, np.float32)
    for new, block in blocks(weights, array, outside):
        result[new] = block
    return result


def blocks(
    weights: Sequence[Weights], array: NDArray[Any], outside: float = 0.0
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The same as `apply`, a few new slices at a time; those that do not come are outside altogether.

    The block is overwritten by the next one.
    """
    along_z, along_y, along_x = map(_bands, weights)
    rows, columns = len(weights[1]), len(weights[2])
    slices = np.zeros((len(array), rows, columns), np.float32)
    half = np.zeros((rows, array.shape[2]), np.float32)
    block = np.empty((_ROWS, rows * columns), np.float32)
    with _BLAS.limit(limits=1, user_api="blas"):
        for k in np.flatnonzero(weights[0].any(axis=0)):
            image = array[k] - np.float32(outside)
            for new, old, band in along_y:
                np.matmul(band, image[old], out=half[new])
            for new, old, band in along_x:
                np.matmul(half[:, old], band.T, out=slices[k][:, new])
        flat = slices.reshape(len(array), -1)
        for new, old, band in along_z:
            part = np.matmul(band, flat[old], out=block[: len(band)])
            part += np.float32(outside)
            yield new, part.reshape(-1, rows, columns)


def _mirrored(index: NDArray[np.int_], size: int) -> NDArray[np.int_]:
    """Indices beyond the ends as those of the signal mirrored at its first and last value."""
    period = 2 * (size - 1)
    return np.asarray((size - 1) - np.abs((size - 1) - np.mod(index, period)))


def _inside(positions: Positions, rows: NDArray[np.float64]) -> Weights:
    """A voxel reaches half its width beyond its centre."""
    old = rows.shape[1]
    outside = (positions < -0.5) | (positions >= old - 0.5)
    return np.where(outside[:, None], 0, rows).astype(np.float32)


def _bands(weights: Weights) -> Bands:
    """The non-zero blocks of a matrix, with the rows and the columns that they stand in."""
    found = []
    for first in range(0, len(weights), _ROWS):
        part = weights[first : first + _ROWS]
        columns = np.flatnonzero(part.any(axis=0))
        if len(columns):
            old = slice(int(columns[0]), int(columns[-1]) + 1)
            found.append((slice(first, first + len(part)), old, np.ascontiguousarray(part[:, old])))
    return found
