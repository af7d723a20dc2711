"""The CUDA path: siddon.cu through CuPy. The only module that imports cupy, and only when it is asked to render."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
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


def render(
    mu: NDArray[np.float32],
    source: Array,
    corner: Array,
    row_step: Array,
    column_step: Array,
    shape: tuple[int, int],
    to_mm: Array,
    threads: int,
) -> NDArray[np.float32]:
    """Line integrals of mu over all rays; see drr.render for the meaning of the arguments."""
    import cupy

    rows, columns = shape
    nz, ny, nx = mu.shape
    image = cupy.empty(shape, cupy.float32)
    vectors = [cupy.asarray(vector, cupy.float64) for vector in (source, corner, row_step, column_step, to_mm.ravel())]
    grid = (-(-columns // _BLOCK[0]), -(-rows // _BLOCK[1]))
    sizes = [np.int32(n) for n in (nx, ny, nz)]
    arguments = (cupy.asarray(mu), *sizes, *vectors, np.int32(rows), np.int32(columns), image)
    _kernel(cupy.cuda.Device().id)(grid, _BLOCK, arguments)
    result: NDArray[np.float32] = cupy.asnumpy(image)
    return result
