"""The CUDA path: siddon.cu through CuPy. The only module that imports cupy, and only when it is asked to render."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr._rays import Rays

_BLOCK = (32, 8)


def available() -> bool:
    """True where CuPy is installed and sees a GPU. Never raises."""
    if find_spec("cupy") is None:
        return False
    import cupy

    return bool(cupy.is_available())


def source_text() -> str:
    """The CUDA text of the kernel."""
    folder = Path(__file__).parent
    return (folder / "siddon.cuh").read_text() + (folder / "siddon.cu").read_text()


@cache
def _kernel(device: int) -> Any:
    import cupy

    return cupy.RawModule(code=source_text(), options=("--std=c++14",)).get_function("render")


def render(mu: NDArray[np.float32], rays: Rays, threads: int) -> NDArray[np.float32]:
    """Line integrals of mu, (z, y, x) in 1/mm, over all rays, (row, column). threads: not used."""
    import cupy

    rows, columns = rays.shape
    nz, ny, nx = mu.shape
    image = cupy.empty(rays.shape, cupy.float32)
    fields = (rays.source, rays.corner, rays.row_step, rays.column_step, rays.to_mm.ravel())
    vectors = [cupy.asarray(field, cupy.float64) for field in fields]
    grid = (-(-columns // _BLOCK[0]), -(-rows // _BLOCK[1]))
    sizes = [np.int32(n) for n in (nx, ny, nz)]
    arguments = (cupy.asarray(mu), *sizes, *vectors, np.int32(rows), np.int32(columns), image)
    _kernel(cupy.cuda.Device().id)(grid, _BLOCK, arguments)
    result: NDArray[np.float32] = cupy.asnumpy(image)
    return result
