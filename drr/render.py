"""Digitally reconstructed radiographs: exact cone-beam line integrals of a CT volume."""

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from drr import attenuation
from drr._cupy import available
from drr._rays import rays_through
from drr.errors import InputError
from drr.geometry import View
from drr.volume import Volume

BACKENDS = {"numpy": "drr._numpy", "cpu": "drr._numba", "cuda": "drr._cupy"}


def render(volume: Volume, views: Sequence[View], backend: str = "auto", threads: int = 0) -> NDArray[np.float32]:
    """Line integrals of the volume's attenuation, (view, row, column), dimensionless (1/mm times mm).

    volume: HU, any spacing, origin and direction; attenuation by plastimatch's rule (drr.attenuation.plastimatch).
    views: equal numbers of rows and columns (drr.geometry.ConeBeam.view).
    backend: numpy (plain reference), cpu (compiled), cuda (CuPy), auto (cuda where there is a GPU, else cpu).
    threads: CPU threads of the compiled path, 0 = all.
    Rays that miss the volume give 0. Raises InputError for values that are not finite and for an unknown or
    unavailable backend.
    """
    if not np.isfinite(volume.array).all():
        raise InputError("the volume has voxels that are not finite numbers: repair it first")
    return project(attenuation.plastimatch(volume.array), volume, views, backend, threads)


def project(
    mu: NDArray[np.float32], grid: Volume, views: Sequence[View], backend: str = "auto", threads: int = 0
) -> NDArray[np.float32]:
    """Line integrals of mu, (z, y, x) in 1/mm, lying where `grid` lies; otherwise as `render`."""
    path, mu = _backend(backend), np.ascontiguousarray(mu)
    return np.stack([path.render(mu, rays_through(grid, view), threads) for view in views])


def _backend(name: str) -> ModuleType:
    if name == "auto":
        name = "cuda" if available() else "cpu"
    if name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}; known: auto, {', '.join(BACKENDS)}")
    if name == "cuda" and not available():
        raise InputError("backend cuda needs CuPy and a GPU, and one of them is missing here: use --backend cpu")
    return import_module(BACKENDS[name])
