"""The ray-caster as a linear operator: line integrals of an attenuation volume, and its transpose.

    A = Projector(grid, views)
    images = A(mu)         every ray's integral of mu, exactly (Siddon 1985)
    volume = A.T(images)   every ray adds its pixel times its length in a voxel to that voxel

Both take NumPy arrays, CuPy arrays and torch tensors, and give back the same kind on the same device. They are linear,
so each is the gradient of the other: torch differentiates through them, as often as one likes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
import sys
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from drr import _cupy
from drr._backends import backend_named
from drr._checks import require_memory, require_method, require_threads, require_values
from drr._rays import Method, Rays, rays_through
from drr.attenuation import Attenuation, IDENTITY, PLASTIMATCH
from drr.errors import InputError
from drr.geometry import View
from drr.volume import Volume

Array = TypeVar("Array")  # of NumPy or CuPy, or a torch tensor
Linear = Callable[[Any], Any]  # of float32 arrays of NumPy or CuPy
_VOXELS, _PIXELS = "(z, y, x)", "(view, row, column)"


@dataclass(frozen=True, eq=False, repr=False)
class Projector:
    """Line integrals of volumes on one grid in fixed views. A(mu) projects, A.T(images) back-projects.

    grid: where volumes lie; its voxels are not read (Volume.empty makes one without any).
    views: the exposures; of equal numbers of rows and columns, unless `pixels` says another number for all.
    pixels: of each image, a side or (rows, columns); None: those of the views.
    rays: as many rays along each side of a pixel are averaged; 1 is the ray through its centre.
    backend: numpy (plain reference), cpu (compiled), cuda (CuPy), auto (cuda where there is a GPU, else cpu).
    threads: CPU threads of the compiled path, 0 = all.
    Raises InputError for views of different sizes, for more pixels than memory holds, for a number below 1, negative
    threads and an unknown or unavailable backend.
    """

    grid: Volume
    views: Sequence[View]
    pixels: int | tuple[int, int] | None = None
    rays: int = 1
    backend: str = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        if min(self.rays, *self.range_shape) < 1:
            raise InputError(f"{self.rays} rays a side, {self.range_shape} (views, rows, columns): each is 1 or more")
        require_threads(self.threads)
        require_memory(self._traced)
        _ = self._path

    def __repr__(self) -> str:
        spacing = " x ".join(f"{mm:g}" for mm in self.grid.spacing_mm)
        views, rows, columns = self.range_shape
        return f"Projector({self.domain_shape} voxels of {spacing} mm to {views} views of {rows} x {columns} pixels)"

    @property
    def domain_shape(self) -> tuple[int, ...]:
        """What it takes: (z, y, x)."""
        return self.grid.array.shape

    @cached_property
    def range_shape(self) -> tuple[int, ...]:
        """What it gives: (view, row, column)."""
        if self.pixels is not None:
            rows, columns = self.pixels if isinstance(self.pixels, tuple) else (self.pixels, self.pixels)
            return len(self.views), rows, columns
        shapes = {(view.rows, view.columns) for view in self.views}
        if len(shapes) != 1:
            raise InputError(f"views of one call have one number of rows and columns, these have {sorted(shapes)}")
        return len(self.views), *shapes.pop()

    @property
    def T(self) -> "Backprojector":  # noqa: N802
        """The transposed operator: <A(x), y> = <x, A.T(y)> up to rounding."""
        return Backprojector(self)

    def __call__(self, mu: Array) -> Array:
        """Line integrals, (view, row, column) float32, without unit, of attenuation, (z, y, x) in 1/mm.

        Rays that miss the grid give 0. Raises InputError for another shape and for values that are not finite.
        """
        images: Array = _applied(mu, _VOXELS, self.domain_shape, self._project, self._backproject)
        return images

    def render(
        self, hu: NDArray[Any], attenuation: Attenuation = PLASTIMATCH, method: Method = "siddon"
    ) -> NDArray[np.float32]:
        """Line integrals of a NumPy array of HU, (z, y, x): attenuation is applied to voxels as rays meet them.

        method: see drr.render. Raises InputError as a call does.
        """
        require_method(method)
        require_values(hu, _VOXELS, self.domain_shape)
        voxels, model = attenuation.prepare(hu)
        images = self._averaged(self._path.render(voxels, model, self._traced, method, self.threads))
        return np.asarray(images / np.float32(10) if method == "plastimatch" else images)

    @cached_property
    def _traced(self) -> list[Rays]:
        rows, columns = (self.rays * pixels for pixels in self.range_shape[1:])
        return [rays_through(self.grid, view.resized((rows, columns))) for view in self.views]

    @cached_property
    def _path(self) -> ModuleType:
        return backend_named(self.backend)

    def _project(self, mu: Any) -> Any:
        if _cupy.holds(mu) and self._path is not _cupy:
            return _cupy.uploaded(self._project(mu.get()))
        return self._averaged(self._path.render(mu, IDENTITY, self._traced, "siddon", self.threads))

    def _backproject(self, images: Any) -> Any:
        if _cupy.holds(images) and self._path is not _cupy:
            return _cupy.uploaded(self._backproject(images.get()))
        if self.rays > 1:
            images = images.repeat(self.rays, axis=1).repeat(self.rays, axis=2) / np.float32(self.rays**2)
        return self._path.backproject(images, self._traced, self.domain_shape, self.threads)

    def _averaged(self, images: Any) -> Any:
        """The mean of each pixel's rays."""
        views, rows, columns = self.range_shape
        return images.reshape(views, rows, self.rays, columns, self.rays).mean(axis=(2, 4)) if self.rays > 1 else images


@dataclass(frozen=True, eq=False)
class Backprojector:
    """The transpose of a projector, which is its own transpose again."""

    T: Projector

    @property
    def domain_shape(self) -> tuple[int, ...]:
        """What it takes: (view, row, column)."""
        return self.T.range_shape

    @property
    def range_shape(self) -> tuple[int, ...]:
        """What it gives: (z, y, x)."""
        return self.T.domain_shape

    def __call__(self, images: Array) -> Array:
        """Images, (view, row, column), smeared back along their rays: (z, y, x) float32, the images' unit times mm.

        Raises InputError for another shape and for values that are not finite.
        """
        volume: Array = _applied(images, _PIXELS, self.domain_shape, self.T._backproject, self.T._project)
        return volume


def _applied(values: Any, what: str, shape: tuple[int, ...], forward: Linear, adjoint: Linear) -> Any:
    """forward(values) where the values are, once their shape and numbers are known to be good."""

    def checked(array: Any) -> Any:
        require_values(array, what, shape)
        return forward(array.astype(np.float32, order="C", copy=False))

    if "torch" in sys.modules and isinstance(values, sys.modules["torch"].Tensor):
        from drr import torch

        return torch.applied(values, checked, forward, adjoint)
    return checked(values if _cupy.holds(values) else np.asarray(values))
