"""The plain reference in float64, one detector row at a time. Slow; it is the oracle of the other backends."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from drr._rays import Array, Method, Rays
from drr.attenuation import AttenuationModel, Voxels


def render(
    voxels: Voxels, model: AttenuationModel, views: Sequence[Rays], method: Method, threads: int
) -> NDArray[np.float32]:
    """Line integrals, (view, row, column). threads: not used."""
    mu = model(voxels)
    line = {"siddon": _siddon, "plastimatch": _without_exit, "joseph": _joseph}[method]
    images = [[line(mu, rays, ends) for ends in _rows(rays)] for rays in views]
    return np.array(images, np.float32)


def backproject(
    images: NDArray[np.float32], views: Sequence[Rays], shape: tuple[int, int, int], threads: int
) -> NDArray[np.float32]:
    """Adjoint of the exact path, (z, y, x): every ray adds pixel times length to the voxels that it crosses."""
    volume = np.zeros(shape)
    for image, rays in zip(images, views, strict=True):
        for pixels, ends in zip(image, _rows(rays), strict=True):
            index, lengths = _crossings(shape, rays, ends)
            np.add.at(volume, index, lengths * pixels[:, None])
    return volume.astype(np.float32)


def _rows(rays: Rays) -> Iterator[Array]:
    """Ends of the rays of each detector row, (column, xyz)."""
    rows, columns = rays.shape
    for row in range(rows):
        yield rays.corner + row * rays.row_step + np.arange(columns)[:, None] * rays.column_step


def _siddon(mu: Array, rays: Rays, ends: Array) -> Array:
    index, lengths = _crossings(mu.shape, rays, ends)
    return np.asarray((lengths * mu[index]).sum(axis=1))


def _without_exit(mu: Array, rays: Rays, ends: Array) -> Array:
    """As plastimatch: the last voxel of every ray is dropped."""
    index, lengths = _crossings(mu.shape, rays, ends)
    order = np.arange(lengths.shape[1])
    whole = _lengths_mm(rays, ends - rays.source)
    last = np.where(lengths >= 1e-12 * whole[:, None], order, -1).max(axis=1)  # a corner within rounding is no voxel
    return np.asarray((lengths * mu[index] * (order < last[:, None])).sum(axis=1))


def _crossings(shape: tuple[int, ...], rays: Rays, ends: Array) -> tuple[tuple[NDArray[np.int64], ...], Array]:
    """Voxels (z, y, x) that each ray crosses and the lengths in mm, both (ray, crossing); length 0 where none is.

    Siddon, Med. Phys. 12 (1985) 252: a ray meets the planes between voxels at known parameters; sorted, every pair of
    neighbours bounds a segment inside one voxel, found at the segment's middle.
    """
    size = np.array(shape[::-1])
    direction = ends - rays.source
    crossings = [_plane_parameters(rays.source[a], direction[:, a], size[a]) for a in range(3)]
    t = np.sort(np.clip(np.concatenate(crossings, axis=1), 0, 1), axis=1)
    t = np.concatenate([np.zeros_like(t[:, :1]), t, np.ones_like(t[:, :1])], axis=1)
    middle = (t[:, 1:] + t[:, :-1]) / 2
    index = np.floor(rays.source + middle[..., None] * direction[:, None, :] + 0.5).astype(np.int64)
    inside = ((index >= 0) & (index < size)).all(axis=-1)
    x, y, z = np.moveaxis(np.clip(index, 0, size - 1), -1, 0)
    return (z, y, x), np.diff(t, axis=1) * inside * _lengths_mm(rays, direction)[:, None]


def _plane_parameters(source: float, direction: Array, size: int) -> Array:
    """Parameters where rays meet the planes -0.5, 0.5, ... size - 0.5 of one axis; 0 for rays parallel to them."""
    planes = np.arange(size + 1) - 0.5 - source
    parallel = direction == 0
    return np.where(parallel[:, None], 0, planes / np.where(parallel, 1, direction)[:, None])


def _joseph(mu: Array, rays: Rays, ends: Array) -> Array:
    """Joseph, IEEE Trans. Med. Imaging 1 (1982) 192: bilinear samples in the planes across each ray's main axis."""
    direction = ends - rays.source
    main = np.abs(direction).argmax(axis=1)
    result = np.zeros(len(ends))
    for m in range(3):
        rows = np.flatnonzero((main == m) & (direction[:, m] != 0))
        along, d = np.arange(mu.shape[2 - m]), direction[rows]
        t = (along - rays.source[m]) / d[:, m, None]
        points = rays.source + t[..., None] * d[:, None, :]
        u, v = (a for a in range(3) if a != m)
        samples = _bilinear(np.moveaxis(mu, 2 - m, 0), points[..., v], points[..., u])
        result[rows] = (samples * ((t >= 0) & (t <= 1))).sum(axis=1) / np.abs(d[:, m])
    return result * _lengths_mm(rays, direction)


def _bilinear(planes: Array, row: Array, column: Array) -> Array:
    """planes[i] at (row, column)[..., i]; what lies outside a plane counts 0."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    height, width = planes.shape[1:]
    r, c = np.clip(row, -1, height) + 1, np.clip(column, -1, width) + 1
    r0, c0 = np.minimum(r.astype(int), height), np.minimum(c.astype(int), width)
    wr, wc = r - r0, c - c0
    i = np.arange(len(planes))
    top = (1 - wc) * padded[i, r0, c0] + wc * padded[i, r0, c0 + 1]
    low = (1 - wc) * padded[i, r0 + 1, c0] + wc * padded[i, r0 + 1, c0 + 1]
    return np.asarray((1 - wr) * top + wr * low)


def _lengths_mm(rays: Rays, direction: Array) -> Array:
    return np.asarray(np.linalg.norm(direction @ rays.to_mm.T, axis=1))
