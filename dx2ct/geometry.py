"""Where a patient's grid and the exposures of the X-rays lie to each other: one value for every method.

Networks get it as data, a projection matrix for each view of each example. Points are those of the grid's cube,
[-1, 1]^3 in patient axes (x, y, z). In an image both axes run from -1 to 1 from edge to edge, whatever its pixels, so
that a feature map of any stride is read at the same places (grid_sample with align_corners=False): its cells must be
centred where that says, as those of kernels 2 and 4 with stride 2 are, and those of kernel 3 are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.geometry import Vector, View
from dx2ct.data.grid import CubeGrid

SAME_MM = 1e-3


@dataclass(frozen=True)
class Views:
    """The grid to reconstruct on and, by name, the exposure of each X-ray, all in patient LPS mm."""

    grid: CubeGrid
    exposures: Mapping[str, View]

    def around_origin(self) -> "Views":
        """The same moved so that the grid's centre is the origin, which changes nothing that is seen."""
        centre = np.array(self.grid.centre_mm)
        if not centre.any():
            return self
        moved = {name: _moved(view, -centre) for name, view in self.exposures.items()}
        return Views(replace(self.grid, centre_mm=(0.0, 0.0, 0.0)), moved)

    def difference(self, other: "Views") -> str:
        """What differs between two geometries up to a common shift, in words for people; empty where nothing does."""
        here, there = self.around_origin(), other.around_origin()
        if here.grid.size != there.grid.size or abs(here.grid.spacing_mm - there.grid.spacing_mm) > SAME_MM:
            return f"a grid of {_cube(here.grid)} instead of {_cube(there.grid)}"
        for name, view in here.exposures.items():
            if name in there.exposures and (what := _difference(view, there.exposures[name])):
                return f"{what} of view {name}"
        return ""


def _cube(grid: CubeGrid) -> str:
    return f"{grid.size} cubed of {grid.spacing_mm:.6g} mm"


def _moved(view: View, shift_mm: "np.ndarray") -> View:
    source, corner = (_vector(np.array(point) + shift_mm) for point in (view.source_mm, view.corner_mm))
    return replace(view, source_mm=source, corner_mm=corner)


def _vector(array: "np.ndarray") -> Vector:
    x, y, z = (float(value) for value in array)
    return x, y, z


def _difference(view: View, other: View) -> str:
    """Of two exposures whatever their numbers of pixels: the source's place, then the detector's."""
    one, two = view.resized(1), other.resized(1)
    if not np.allclose(one.source_mm, two.source_mm, rtol=0, atol=SAME_MM):
        return "another source position"
    here, there = (np.concatenate([v.corner_mm, v.column_step_mm, v.row_step_mm]) for v in (one, two))
    return "" if np.allclose(here, there, rtol=0, atol=SAME_MM) else "another detector"


def projection_matrices(views: Views, names: Sequence[str]) -> NDArray[np.float32]:
    """(view, 3, 4): a point (x, y, z, 1) of the cube to (column, row, 1) times its depth, and that depth.

    Column and row are in [-1, 1] on the image; depth is measured along the view's central axis in half sides of the
    cube, from the source. `project` applies it.
    """
    centred = views.around_origin()
    return np.stack([_matrix(centred.exposures[name], centred.grid) for name in names]).astype(np.float32)


def _matrix(view: View, grid: CubeGrid) -> NDArray[np.float64]:
    half = grid.side_mm / 2
    to_pixels = view.projection_matrix() @ np.diag([half, half, half, 1.0]) / half
    # From pixel numbers to [-1, 1] between the edges of the first and the last pixel.
    to_edges = np.array([[2 / view.columns, 0, 1 / view.columns - 1], [0, 2 / view.rows, 1 / view.rows - 1], [0, 0, 1]])
    return np.asarray(to_edges @ to_pixels)


def project(matrices: Tensor, points: Tensor) -> Tensor:
    """Points (n or 1, ..., 3) of the cube seen by matrices (n, view, 3, 4): (n, view, ..., 3) of column, row and depth.

    Column and row in [-1, 1] on the image; depth in [-1, 1] within the cube where the central axis meets it, 0 in the
    plane of the isocentre. float32 whatever autocast says: half precision would move a point by a pixel.
    """
    x, y, z = points.reshape(len(points), 1, -1, 3).float().unbind(-1)
    column, row, depth = (
        line[..., :1] * x + line[..., 1:2] * y + line[..., 2:3] * z + line[..., 3:]
        for line in matrices.float().unbind(2)
    )
    placed = torch.stack([column / depth, row / depth, depth - matrices[:, :, 2, 3:].float()], dim=-1)
    return placed.view(*placed.shape[:2], *points.shape[1:-1], 3)
