"""A CT grid that shapes are painted on: every shape is a signed distance in mm, negative inside."""

from collections.abc import Callable, Iterable
from itertools import pairwise
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Value = Array | np.floating[Any]  # one number, or one per height
Surface = Callable[[Array, Array, Array], Array]
Window = tuple[slice, slice, slice]
Corner = Iterable[float | np.floating[Any]]  # x, y, z


class Canvas:
    """HU on the voxel centres x, y, z (mm, ascending, evenly spaced), all air at first; `hu` is (z, y, x) float32.

    finest_mm: vessels of the lungs with a smaller radius are not worth their painting, nor is every bend of a tube.
    """

    def __init__(self, x: Array, y: Array, z: Array, finest_mm: float = 0.0) -> None:
        self.finest_mm = finest_mm
        self.axes = tuple(np.asarray(axis, np.float32) for axis in (x, y, z))
        self.lattice = [(float(axis[0]), float(axis[1] - axis[0]), len(axis)) for axis in self.axes]
        self.edge_mm = self.lattice[0][1]  # an edge is as soft as a pixel is wide
        self.hu = np.full([len(axis) for axis in self.axes[::-1]], -1000, np.float32)

    def window(self, low: Corner, high: Corner) -> Window:
        """The voxels within the box from `low` to `high` (xyz, mm), widened by a soft edge; it may be empty."""
        sides = enumerate(zip(low, high, strict=True))
        x, y, z = (self._span(axis, float(start), float(stop)) for axis, (start, stop) in sides)
        return z, y, x

    def _span(self, axis: int, low: float, high: float) -> slice:
        first, step, size = self.lattice[axis]  # plain numbers: a phantom has thousands of small windows
        start = math.ceil((low - self.edge_mm - first) / step)
        stop = math.floor((high + self.edge_mm - first) / step) + 1
        return slice(min(max(start, 0), size), min(max(stop, 0), size))

    def grid(self, window: Window) -> tuple[Array, Array, Array]:
        """x, y, z of a window's voxels, shaped to broadcast against (z, y, x)."""
        in_z, in_y, in_x = window
        x, y, z = self.axes
        return x[None, None, in_x], y[None, in_y, None], z[in_z, None, None]

    def blend(self, window: Window, distance: Array, hu: ArrayLike) -> None:
        """Paint a shape given its distance on the window's voxels; `hu` is a number or broadcasts to the window."""
        voxels = self.hu[window]
        cover = np.minimum(np.maximum(0.5 - distance / self.edge_mm, 0), 1)
        voxels += cover * (np.asarray(hu, np.float32) - voxels)

    def paint(self, surface: Surface, hu: ArrayLike, low: Corner, high: Corner) -> None:
        """Paint the inside of a surface that lies within the box from `low` to `high` (xyz, mm)."""
        window = self.window(low, high)
        if self.hu[window].size:
            self.blend(window, surface(*self.grid(window)), hu)

    def tube(self, points: ArrayLike, radii: ArrayLike, hu: float) -> None:
        """Paint a tube of round cross-section along `points` (n, xyz); one radius, or one per point (mm)."""
        points = np.asarray(points, float)
        radii = np.broadcast_to(np.asarray(radii, float), len(points))
        if self.finest_mm and len(points) > 5:
            kept = np.r_[0 : len(points) - 1 : 2, len(points) - 1]
            points, radii = points[kept].astype(np.float32), radii[kept]  # float32 is twice as fast
        for (a, radius_a), (b, radius_b) in pairwise(zip(points, radii, strict=True)):
            self.segment(a, b, radius_a, radius_b, hu)

    def segment(self, a: Array, b: Array, radius_a: float, radius_b: float, hu: float) -> None:
        """Paint a round-ended cone from `a` to `b` (xyz, mm)."""
        reach = max(radius_a, radius_b)
        window = self.window(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
        if not self.hu[window].size:
            return
        self.blend(window, capsule(*self.grid(window), a, b, radius_a, radius_b), hu)

    def ball(self, centre: ArrayLike, radius: float, hu: float) -> None:
        """Paint a ball."""
        centre = np.asarray(centre, float)
        self.segment(centre, centre, radius, radius, hu)

    def ellipsoid(self, centre: ArrayLike, semi_axes: ArrayLike, hu: ArrayLike) -> None:
        """Paint an ellipsoid whose axes are x, y, z."""
        centre, semi_axes = np.asarray(centre, float), np.asarray(semi_axes, float)
        self.paint(lambda x, y, z: ellipsoid(x, y, z, centre, semi_axes), hu, centre - semi_axes, centre + semi_axes)


def capsule(x: Array, y: Array, z: Array, a: Array, b: Array, radius_a: float, radius_b: float) -> Array:
    """Distance to a round-ended cone from `a` to `b` (xyz, mm)."""
    axis = b - a
    x, y, z = (grid - np.float32(start) for grid, start in zip((x, y, z), a, strict=True))
    along = (x * axis[0] + y * axis[1] + z * axis[2]) * np.float32(1 / max(float(axis @ axis), 1e-6))
    along = np.minimum(np.maximum(along, 0), 1).astype(np.float32)
    off = (x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2 + (z - along * axis[2]) ** 2
    return np.asarray(np.sqrt(off) - (radius_a + along * (radius_b - radius_a)))


def ellipsoid(x: Array, y: Array, z: Array, centre: ArrayLike, semi_axes: ArrayLike) -> Array:
    """First-order distance to an ellipsoid: value over gradient length of its implicit function."""
    offsets = [(axis - np.float32(c)) for axis, c in zip((x, y, z), np.asarray(centre), strict=True)]
    weights = 1 / np.asarray(semi_axes, np.float32)
    value = np.sqrt(sum((o * w) ** 2 for o, w in zip(offsets, weights, strict=True)) + np.float32(1e-6))
    slope = np.sqrt(sum((o * w**2) ** 2 for o, w in zip(offsets, weights, strict=True)) + np.float32(1e-9))
    return np.asarray(value * (value - 1) / slope)


def section(x: Array, y: Array, centre: tuple[Value, Value], half: tuple[Value, Value], exponent: float) -> Array:
    """First-order distance, within the axial plane, to a superellipse whose centre and half axes may depend on z."""
    (cx, cy), (a, b) = centre, half
    across, deep = np.abs(x - cx) / a, np.abs(y - cy) / b
    slope_x, slope_y = across ** (exponent - 1), deep ** (exponent - 1)
    value = slope_x * across + slope_y * deep
    slope = np.sqrt((slope_x / a) ** 2 + (slope_y / b) ** 2) * exponent
    return np.asarray((value - 1) / np.maximum(slope, 1e-6))


def smooth_min(a: Array, b: Array, width: float) -> Array:
    """Union of two shapes with the crease between them filled over `width` mm (polynomial smooth minimum)."""
    h = np.minimum(np.maximum(0.5 + 0.5 * (b - a) / width, 0), 1)
    return np.asarray(b + h * (a - b) - width * h * (1 - h))
