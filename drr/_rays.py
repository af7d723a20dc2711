"""The rays of one view in the voxel coordinates of a volume: what every backend is given."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drr.geometry import View
from drr.volume import Volume

Array = NDArray[np.float64]
Method = Literal["siddon", "joseph", "plastimatch"]
METHODS: dict[str, int] = {"siddon": 0, "joseph": 1, "plastimatch": 2}  # the numbers of native/rays.h


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

    def packed(self) -> Array:
        """The 21 numbers that native/rays.h takes."""
        return np.concatenate([self.source, self.corner, self.row_step, self.column_step, self.to_mm.ravel()])


def rays_through(grid: Volume, view: View) -> Rays:
    """The rays of a view, seen from the voxels of a volume."""
    to_mm = np.reshape(grid.direction, (3, 3)) * grid.spacing_mm
    to_voxels = np.linalg.inv(to_mm)
    source, corner = (to_voxels @ (np.array(point) - grid.origin_mm) for point in (view.source_mm, view.corner_mm))
    # A millionth of a voxel over the whole detector is below every rounding: such a step lies along the axis.
    steps = [to_voxels @ np.array(step) for step in (view.row_step_mm, view.column_step_mm)]
    for step, pixels in zip(steps, (view.rows, view.columns), strict=True):
        step[np.abs(step) * pixels < 1e-9 * max(grid.array.shape)] = 0
    return Rays(source, corner, steps[0], steps[1], (view.rows, view.columns), to_mm)
