"""The rays of one view in the voxel coordinates of a volume: what every backend is given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drr.geometry import View
from drr.volume import Volume

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rays:
    """Ray (row, column) runs from `source` to corner + row * row_step + column * column_step.

    Points and steps are (x, y, z) in voxels: voxel i reaches from i - 0.5 to i + 0.5. to_mm: 3 x 3, a vector in voxels
    to one in mm. shape: rows, columns.
    """

    source: Array
    corner: Array
    row_step: Array
    column_step: Array
    shape: tuple[int, int]
    to_mm: Array


def rays_through(grid: Volume, view: View) -> Rays:
    """The rays of a view, seen from the voxels of a volume."""
    to_mm = np.reshape(grid.direction, (3, 3)) * grid.spacing_mm
    to_voxels = np.linalg.inv(to_mm)
    source, corner = (to_voxels @ (np.array(point) - grid.origin_mm) for point in (view.source_mm, view.corner_mm))
    row_step, column_step = (to_voxels @ np.array(step) for step in (view.row_step_mm, view.column_step_mm))
    return Rays(source, corner, row_step, column_step, (view.rows, view.columns), to_mm)
