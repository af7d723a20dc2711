"""The compiled CPU path: the arithmetic of siddon.cuh, all cores, rows in parallel.

cache=True keeps the machine code beside the source (or under NUMBA_CACHE_DIR), so it is compiled once per machine
and not once per job.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from drr._rays import Rays


@numba.njit(cache=True, inline="always")
def _clip(source, direction, size, enter, leave):  # type: ignore[no-untyped-def]
    if direction == 0.0:
        return (enter, leave) if -0.5 <= source < size - 0.5 else (enter, -1.0)
    a = (-0.5 - source) / direction
    b = (size - 0.5 - source) / direction
    return max(enter, min(a, b)), min(leave, max(a, b))


@numba.njit(cache=True, inline="always")
def _start(source, direction, t, size):  # type: ignore[no-untyped-def]
    index = min(max(math.floor(source + t * direction + 0.5), 0), size - 1)
    if direction > 0.0:
        return index, 1, 1.0 / direction, (index + 0.5 - source) / direction
    if direction < 0.0:
        return index, -1, 1.0 / direction, (index - 0.5 - source) / direction
    return index, 0, 0.0, 2.0


@numba.njit(cache=True)
def _siddon(mu, s, dx, dy, dz):  # type: ignore[no-untyped-def]
    nz, ny, nx = mu.shape
    enter, leave = _clip(s[0], dx, nx, 0.0, 1.0)
    enter, leave = _clip(s[1], dy, ny, enter, leave)
    enter, leave = _clip(s[2], dz, nz, enter, leave)
    if leave <= enter:
        return 0.0
    x, step_x, inv_x, next_x = _start(s[0], dx, enter, nx)
    y, step_y, inv_y, next_y = _start(s[1], dy, enter, ny)
    z, step_z, inv_z, next_z = _start(s[2], dz, enter, nz)
    total, t = 0.0, enter
    while t < leave:
        end = min(min(next_x, next_y), min(next_z, leave))
        total += (end - t) * mu[z, y, x]
        t = max(t, end)
        if next_x <= t:
            x += step_x
            next_x = (x + 0.5 * step_x - s[0]) * inv_x
        if next_y <= t:
            y += step_y
            next_y = (y + 0.5 * step_y - s[1]) * inv_y
        if next_z <= t:
            z += step_z
            next_z = (z + 0.5 * step_z - s[2]) * inv_z
        if x < 0 or x >= nx or y < 0 or y >= ny or z < 0 or z >= nz:
            break
    return total


@numba.njit(cache=True, parallel=True)
def _image(mu, source, corner, row_step, column_step, rows, columns, to_mm):  # type: ignore[no-untyped-def]
    image = np.empty((rows, columns), np.float32)
    for row in numba.prange(rows):
        for column in range(columns):
            d = corner + row * row_step + column * column_step - source
            mm = 0.0
            for i in range(3):
                mm += (to_mm[i, 0] * d[0] + to_mm[i, 1] * d[1] + to_mm[i, 2] * d[2]) ** 2
            image[row, column] = _siddon(mu, source, d[0], d[1], d[2]) * math.sqrt(mm)
    return image


def render(mu: NDArray[np.float32], rays: Rays, threads: int) -> NDArray[np.float32]:
    """Line integrals of mu, (z, y, x) in 1/mm, over all rays, (row, column). threads: 0 = all."""
    numba.set_num_threads(min(threads or numba.config.NUMBA_NUM_THREADS, numba.config.NUMBA_NUM_THREADS))
    image: NDArray[np.float32] = _image(
        mu, rays.source, rays.corner, rays.row_step, rays.column_step, *rays.shape, rays.to_mm
    )
    return image
