"""Digitally reconstructed radiographs of a CT volume, and back-projection: drr.Projector for a single call."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drr._rays import Method
from drr.attenuation import Attenuation, PLASTIMATCH
from drr.geometry import View
from drr.projector import Array, Projector
from drr.volume import Volume


def render(
    volume: Volume,
    views: Sequence[View],
    backend: str = "auto",
    method: Method = "siddon",
    attenuation: Attenuation = PLASTIMATCH,
    threads: int = 0,
) -> NDArray[np.float32]:
    """Line integrals of the volume's attenuation, (view, row, column), float32, dimensionless (1/mm times mm).

    volume: HU (or attenuation, with drr.attenuation.IDENTITY), any shape, spacing, origin and direction.
    views: equal numbers of rows and columns (drr.ConeBeam.view).
    backend: numpy (plain reference), cpu (compiled), cuda (CuPy), auto (cuda where there is a GPU, else cpu).
    method: siddon (exact radiological path), joseph (one bilinear sample in every plane of voxels), plastimatch (exact
        without the voxel where a ray leaves the volume, divided by 10: what plastimatch's program writes).
    threads: CPU threads of the compiled path, 0 = all.
    Rays that miss the volume give 0. Raises InputError for values that are not finite, for views of different
    sizes, for more pixels than memory holds and for an unknown or unavailable backend.
    """
    return Projector(volume, views, backend=backend, threads=threads).render(volume.array, attenuation, method)


def backproject(images: Array, views: Sequence[View], grid: Volume, backend: str = "auto", threads: int = 0) -> Array:
    """The adjoint of `render` (method siddon, attenuation IDENTITY): (z, y, x) float32, lying where `grid` lies.

    images: (view, row, column), an array or a tensor. <render(x), y> = <x, backproject(y)> up to rounding. Raises
    InputError as render does, and for images that are not of the views' shape.
    """
    return Projector(grid, views, backend=backend, threads=threads).T(images)
