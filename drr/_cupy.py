"""The CUDA path: native/kernels.cu through CuPy. The only module that imports cupy, and only when it must render.

One upload of the volume a call, however many views. Arrays that are on the GPU already stay there, and so do results.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr._rays import Method, METHODS, Rays
from drr.attenuation import AttenuationModel, Voxels

_BLOCK = (32, 8)
_NATIVE = Path(__file__).parent / "native"


def available() -> bool:
    """True where CuPy is installed and sees a GPU. Never raises."""
    if find_spec("cupy") is None:
        return False
    import cupy

    return bool(cupy.is_available())


def holds(array: Any) -> bool:
    """True for an array of CuPy."""
    return "cupy" in sys.modules and isinstance(array, sys.modules["cupy"].ndarray)


def uploaded(array: NDArray[Any]) -> Any:
    """The same array of CuPy, on the current GPU."""
    import cupy

    return cupy.asarray(array)


def called(work: Callable[[Any], Any], tensor: Any, stream: Any) -> Any:
    """work(tensor) as arrays of CuPy that share memory with a CUDA tensor of another library, by DLPack.

    stream: that of the other library on the tensor's device, with __cuda_stream__; the work is put in line there.
    """
    import cupy

    with cupy.cuda.Device(tensor.device.index), cupy.cuda.Stream.from_external(stream):
        return work(cupy.from_dlpack(tensor))


def source_text() -> str:
    """The CUDA text of the kernels, whole."""
    return (_NATIVE / "rays.h").read_text().replace("#pragma once\n", "") + (_NATIVE / "kernels.cu").read_text()


@cache
def _kernels(device: int) -> Any:
    import cupy

    return cupy.RawModule(code=source_text(), options=("--std=c++17",))


def render(
    voxels: Voxels, model: AttenuationModel, views: Sequence[Rays], method: Method, threads: int
) -> NDArray[np.float32]:
    """Line integrals, (view, row, column), on the GPU if the voxels are there. threads: not used."""
    import cupy

    images = cupy.empty((len(views), *views[0].shape), cupy.float32)
    numbers = [np.float32(value) for value in (model.threshold, model.zero, model.slope)]
    before = (np.int32(METHODS[method]), cupy.asarray(voxels), *_size(voxels.shape), *numbers)
    _launch(f"render_{voxels.dtype.name}", before, views, images)
    result: NDArray[np.float32] = images if holds(voxels) else cupy.asnumpy(images)
    return result


def backproject(
    images: NDArray[np.float32], views: Sequence[Rays], shape: tuple[int, int, int], threads: int
) -> NDArray[np.float32]:
    """Adjoint of the exact path, (z, y, x), on the GPU if the images are there.

    float32 sums in the order in which the GPU comes to them: the last digits differ from call to call.
    """
    import cupy

    volume = cupy.zeros(shape, cupy.float32)
    _launch("backproject", (cupy.asarray(images), *_size(shape)), views, volume)
    result: NDArray[np.float32] = volume if holds(images) else cupy.asnumpy(volume)
    return result


def _launch(name: str, before: tuple[Any, ...], views: Sequence[Rays], output: Any) -> None:
    import cupy

    rows, columns = views[0].shape
    rays = cupy.asarray(np.stack([view.packed() for view in views]))
    grid = (-(-columns // _BLOCK[0]), -(-rows // _BLOCK[1]), len(views))
    kernel = _kernels(cupy.cuda.Device().id).get_function(name)
    kernel(grid, _BLOCK, (*before, rays, np.int32(rows), np.int32(columns), output))


def _size(shape: tuple[int, ...]) -> list[np.int32]:
    return [np.int32(n) for n in shape[::-1]]
