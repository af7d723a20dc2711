"""The ray-caster: exact cone-beam line integrals of a CT volume, and the adjoint of that operator.

    render       A x:  integrals of the attenuation along the rays of every detector pixel
    backproject  A' y: every ray adds its pixel's value times the length of its path to each voxel that it crosses

Three backends with one signature: `numpy` is the plain reference, `cpu` the compiled path, `cuda` the GPU.
"""

from collections.abc import Sequence
from importlib import import_module
import os
import sys
from types import ModuleType
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from drr import _cpu, _cupy
from drr._rays import Method, Rays, rays_through
from drr.attenuation import Attenuation, PLASTIMATCH
from drr.errors import InputError
from drr.geometry import View
from drr.volume import Volume

BACKENDS = {"numpy": "drr._numpy", "cpu": "drr._cpu", "cuda": "drr._cupy"}


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
    views: equal numbers of rows and columns (drr.geometry.ConeBeam.view).
    backend: numpy (plain reference), cpu (compiled), cuda (CuPy), auto (cuda where there is a GPU, else cpu).
    method: siddon (exact radiological path), joseph (one bilinear sample in every plane of voxels), plastimatch (exact
        without the voxel where a ray leaves the volume, divided by 10: what plastimatch's program writes).
    threads: CPU threads of the compiled path, 0 = all.
    Rays that miss the volume give 0. Raises InputError for values that are not finite, for views of different
    sizes, for more pixels than memory holds and for an unknown or unavailable backend.
    """
    _require_method(method)
    rays = _rays(volume, views)
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
        raise InputError("the volume has voxels that are not finite numbers: repair it first")
    _require_memory(rays)
    path = _backend(backend)
    voxels, model = attenuation.prepare(volume.array)
    images: NDArray[np.float32] = path.render(voxels, model, rays, method, threads)
    return images / np.float32(10) if method == "plastimatch" else images


def backproject(
    images: NDArray[np.float32], views: Sequence[View], grid: Volume, backend: str = "auto", threads: int = 0
) -> NDArray[np.float32]:
    """The adjoint of `render` (method siddon, attenuation IDENTITY): (z, y, x) float32, lying where `grid` lies.

    images: (view, row, column). <render(x), y> = <x, backproject(y)> up to rounding. Raises InputError as render does,
    and for images that are not of the views' shape.
    """
    rays = _rays(grid, views)
    if images.shape != (len(rays), *rays[0].shape):
        raise InputError(f"images of shape {images.shape} do not fit {len(rays)} views of {rays[0].shape} pixels")
    if not np.isfinite(images).all():
        raise InputError("the images have pixels that are not finite numbers")
    path = _backend(backend)
    volume: NDArray[np.float32] = path.backproject(
        np.ascontiguousarray(images, np.float32), rays, grid.array.shape, threads
    )
    return volume


def _rays(grid: Volume, views: Sequence[View]) -> list[Rays]:
    shapes = {(view.rows, view.columns) for view in views}
    if len(shapes) != 1:
        raise InputError(f"views of one call have one number of rows and columns, these have {sorted(shapes)}")
    return [rays_through(grid, view) for view in views]


def _require_memory(rays: Sequence[Rays]) -> None:
    rows, columns = rays[0].shape
    needed, there = 4 * len(rays) * rows * columns, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there / 2:
        raise InputError(f"{len(rays)} views of {rows} x {columns} pixels need {needed / 2**30:.0f} GiB: too many")


def _require_method(method: str) -> None:
    if method not in get_args(Method):
        raise InputError(f"unknown method {method!r}; known: {', '.join(get_args(Method))}")


def _backend(name: str) -> ModuleType:
    if name == "auto":
        name = _automatic()
    if name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}; known: auto, {', '.join(BACKENDS)}")
    if name == "cuda" and not _cupy.available():
        raise InputError("backend cuda needs CuPy and a GPU, and one of them is missing here: use --backend cpu")
    if name == "cpu" and not _cpu.available():
        raise InputError(f"backend cpu cannot be built here: {_cpu.why_not()}; or use --backend numpy")
    return import_module(BACKENDS[name])


def _automatic() -> str:
    if _cupy.available():
        return "cuda"
    if _cpu.available():
        return "cpu"
    print(f"warning: rendering with the slow reference in NumPy: {_cpu.why_not()}", file=sys.stderr)
    return "numpy"
