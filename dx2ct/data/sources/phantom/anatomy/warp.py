"""A smooth bending of a whole patient: what no list of organs foresees, and how the patient lies on the table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from dx2ct.data.sources.phantom.anatomy.canvas import Array

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Warp:
    """Rotations (radians, about x, y, z of the patient) and standing waves, each a length in mm and three phases.

    A point of the bent patient is found where `source` says in the straight one.
    """

    turn: Point
    waves: tuple[tuple[Point, Point, Point], ...]  # amplitude in mm, wavelengths in mm, phases in radians

    def offset(self, x: Array, y: Array, z: Array) -> list[Array]:
        """Displacements (mm) of broadcasting coordinates towards the straight patient."""
        a, b, c = self.turn
        total: list[Array] = [c * y - b * z, a * z - c * x, b * x - a * y]
        for amplitude, wavelength, phase in self.waves:
            parts = (
                np.sin(axis * (2 * np.pi / length) + start)
                for axis, length, start in zip((x, y, z), wavelength, phase, strict=True)
            )
            u, v, w = parts
            wave = u * v * w
            total = [old + size * wave for old, size in zip(total, amplitude, strict=True)]
        return total

    def bend(self, hu: NDArray[np.float32], x: Array, y: Array, z: Array) -> NDArray[np.float32]:
        """The bent patient on the same evenly spaced grid, (z, y, x)."""
        grid = x[None, None, :], y[None, :, None], z[:, None, None]
        places = []
        for axis, move, index in zip(grid, self.offset(*grid), (x, y, z), strict=True):
            step = np.float32(index[1] - index[0])
            places.append(np.broadcast_to((axis - index[0] + move) / step, hu.shape).astype(np.float32))
        return np.asarray(map_coordinates(hu, places[::-1], order=1, mode="nearest"), np.float32)

    def bent(self, point: Point) -> Point:
        """Where a point of the straight patient lies in the bent one."""
        straight = np.array(point)
        found = straight.copy()
        for _ in range(20):
            found = straight - np.array(self.offset(*found))
        return float(found[0]), float(found[1]), float(found[2])
