"""Where a patient's grid and the exposures of the X-rays lie to each other: one value for every method."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
