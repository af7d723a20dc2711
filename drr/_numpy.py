"""The plain reference: exact radiological paths in float64, one detector row at a time. Slow; it is the oracle.

Siddon, Med. Phys. 12 (1985) 252: a ray meets the planes between voxels at known parameters; sorted, every pair of
neighbours bounds a segment inside one voxel, found at the segment's middle.
"""

import numpy as np
from numpy.typing import NDArray

from drr._rays import Array, Rays


def render(mu: NDArray[np.float32], rays: Rays, threads: int) -> NDArray[np.float32]:
    """Line integrals of mu, (z, y, x) in 1/mm, over all rays, (row, column). threads: not used."""
    rows, columns = rays.shape
    image = np.empty(rays.shape)
    for row in range(rows):
        ends = rays.corner + row * rays.row_step + np.arange(columns)[:, None] * rays.column_step
        image[row] = _row(mu, rays.source, ends, rays.to_mm)
    return image.astype(np.float32)


def _row(mu: NDArray[np.float32], source: Array, ends: Array, to_mm: Array) -> Array:
    size = np.array(mu.shape[::-1])
    direction = ends - source
    crossings = [_plane_parameters(source[a], direction[:, a], size[a]) for a in range(3)]
    t = np.sort(np.clip(np.concatenate(crossings, axis=1), 0, 1), axis=1)
    middle = (t[:, 1:] + t[:, :-1]) / 2
    points = source + middle[..., None] * direction[:, None, :]
    index = np.floor(points + 0.5).astype(np.int64)
    inside = ((index >= 0) & (index < size)).all(axis=-1)
    x, y, z = np.moveaxis(np.clip(index, 0, size - 1), -1, 0)
    length = np.linalg.norm(direction @ to_mm.T, axis=1)
    return np.asarray((np.diff(t, axis=1) * np.where(inside, mu[z, y, x], 0)).sum(axis=1) * length)


def _plane_parameters(source: float, direction: Array, size: int) -> Array:
    """Parameters where rays meet the planes -0.5, 0.5, ... size - 0.5 of one axis; 0 for rays parallel to them."""
    planes = np.arange(size + 1) - 0.5 - source
    parallel = direction == 0
    return np.where(parallel[:, None], 0, planes / np.where(parallel, 1, direction)[:, None])
