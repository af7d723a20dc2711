"""The compiled CPU path: native/cpu.cpp by tiles, on all cores. The result does not depend on the number of threads."""

from collections.abc import Callable, Iterable, Sequence
import ctypes
import os
import threading
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from drr import _build
from drr._checks import require_threads
from drr._rays import Method, METHODS, Rays
from drr.attenuation import AttenuationModel, Voxels

_TILE_ROWS, _TILE_COLUMNS = 64, 32  # of single rays: what they cross stays in the cache
_LAYERS = 8  # of voxels, that one call of the adjoint fills
_AXIS_ROWS = 16  # of rays along axes: their sums stay in the first-level cache
_MAX_SIDE = 2**16 - 3  # voxel indices of the axis path are 16 bits wide
_MAX_SLOPE = 16  # voxels across for one along, of the axis path
Job = TypeVar("Job")


def available() -> bool:
    """True where the library is there or can be compiled."""
    return not isinstance(_build.library(), str)


def why_not() -> str:
    """One line that says why the library is missing."""
    return str(_build.library())


def render(
    voxels: Voxels, model: AttenuationModel, views: Sequence[Rays], method: Method, threads: int
) -> NDArray[np.float32]:
    """Line integrals, (view, row, column). threads: 0 = all."""
    images = np.empty((len(views), *views[0].shape), np.float32)
    for image, rays in zip(images, views, strict=True):
        axes = _axes(rays, voxels.shape, method)
        if axes is None:
            _single(voxels, model, rays, method, threads, image)
        else:
            _along_axes(voxels, model, rays, axes, method, threads, image)
    return images


def backproject(
    images: NDArray[np.float32], views: Sequence[Rays], shape: tuple[int, int, int], threads: int
) -> NDArray[np.float32]:
    """Adjoint of the exact path, (z, y, x). Every thread owns layers of voxels and follows all rays through them."""
    volume = np.zeros(shape, np.float32)
    size = _size(shape)
    for image, rays in zip(images, views, strict=True):
        packed, (rows, columns) = rays.packed(), rays.shape

        def spread(z0: int, image: Any = image, packed: Any = packed, rows: int = rows, columns: int = columns) -> None:
            z1 = min(z0 + _LAYERS, shape[0])
            _library().spread_slab(_at(image), _at(size), _at(packed), rows, columns, z0, z1, _at(volume))

        _each(threads, spread, range(0, shape[0], _LAYERS))
    return volume


def _single(
    voxels: Voxels, model: AttenuationModel, rays: Rays, method: str, threads: int, image: NDArray[np.float32]
) -> None:
    size, packed, numbers = _size(voxels.shape), rays.packed(), _numbers(model)
    rows, columns = rays.shape
    is_float = voxels.dtype == np.float32

    def tile(corner: tuple[int, int]) -> None:
        r, c = corner
        r1, c1 = min(r + _TILE_ROWS, rows), min(c + _TILE_COLUMNS, columns)
        where = (_at(voxels), _at(size), _at(numbers), _at(packed), columns, r, r1, c, c1, _at(image))
        _library().rays_tile(METHODS[method], is_float, *where)

    corners = [(r, c) for r in range(0, rows, _TILE_ROWS) for c in range(0, columns, _TILE_COLUMNS)]
    _each(threads, tile, corners)


def _axes(rays: Rays, shape: tuple[int, ...], method: str) -> tuple[int, int, int, int] | None:
    """Main axis, the axes u and v of native/axis.h, and 1 where rows step along v; None where rays need their own way.

    Rows and columns of the detector must step along two different axes of the volume. u is the axis that is contiguous
    in memory, or y where rays run along x.
    """
    row, column = np.flatnonzero(rays.row_step), np.flatnonzero(rays.column_step)
    if method == "plastimatch" or max(shape) > _MAX_SIDE or not _library().axis_available():
        return None
    if len(row) != 1 or len(column) != 1 or row[0] == column[0]:
        return None
    main = 3 - int(row[0]) - int(column[0])
    steepest = _steepest(rays, main)
    # Above a slope of 1 some of Joseph's rays have another main axis; the tables of very steep rays would be huge.
    if steepest > (1 if method == "joseph" else _MAX_SLOPE):
        return None
    u, v = (axis for axis in range(3) if axis != main)
    return main, u, v, int(row[0] == v)


def _along_axes(
    voxels: Voxels,
    model: AttenuationModel,
    rays: Rays,
    axes: tuple[int, int, int, int],
    method: str,
    threads: int,
    image: NDArray[np.float32],
) -> None:
    library, size, packed, numbers = _library(), _size(voxels.shape), rays.packed(), _numbers(model)
    rows, columns = rays.shape
    # To wake a thread takes as long as two million crossings.
    threads = min(_threads(threads), 1 + rows * columns * int(size[axes[0]]) // 2**22)
    at, widths, parts = (_planes if method == "joseph" else _faces)(rays, axes[0], int(size[axes[0]]))
    joseph, where = method == "joseph", np.array(axes, np.int32)
    view = ctypes.c_void_p(library.axis_view(_at(size), _at(where), rows, columns, parts, joseph, _at(widths)))
    if not view:
        raise MemoryError("the tables of an X-ray")
    try:
        step = -(-len(widths) // (4 * _threads(threads)))

        def fill(start: int) -> None:
            end = min(start + step, len(widths))
            library.axis_fill(view, _at(packed), _at(where), _at(at), start, end)

        def tile(start: int) -> None:
            end = min(start + _AXIS_ROWS, lines)
            given = (_at(voxels), _at(numbers), view, _at(packed), _at(where), start, end, columns, _at(image))
            if not library.axis_tile(voxels.dtype == np.float32, *given):
                raise MemoryError("the tile of an X-ray")

        lines = rows if axes[3] else columns
        _each(threads, fill, range(0, len(widths), step))
        _each(threads, tile, range(0, lines, _AXIS_ROWS))
    finally:
        library.axis_free(view)


def _faces(rays: Rays, main: int, slabs: int) -> tuple[NDArray[np.float64], NDArray[np.float32], int]:
    """Where the faces of the parts of the slabs are on the rays (0 to 1), the parts' widths in voxels, parts a slab.

    A part is so thin that no ray crosses two voxels of one axis in it. What lies behind the source or the detector has
    width 0.
    """
    depth = rays.corner[main] - rays.source[main]
    parts = max(1, int(np.ceil(_steepest(rays, main) * (1 + 1e-9))))
    faces = np.arange(slabs * parts + 1) / parts - 0.5
    t = np.clip((faces - rays.source[main]) / depth, 0, 1)
    return t, (np.abs(np.diff(t)) * abs(depth)).astype(np.float32), parts


def _steepest(rays: Rays, main: int) -> float:
    """The most voxels that a ray moves along another axis while it moves one along the main axis."""
    rows, columns = rays.shape
    corners = [rays.corner + r * rays.row_step + c * rays.column_step for r in (0, rows - 1) for c in (0, columns - 1)]
    depth = abs(rays.corner[main] - rays.source[main])
    return max(float(np.abs(np.delete(end - rays.source, main)).max()) for end in corners) / depth if depth else np.inf


def _planes(rays: Rays, main: int, slabs: int) -> tuple[NDArray[np.float64], NDArray[np.float32], int]:
    """The same for Joseph's planes through the centres of voxels: one sample a slab, none behind source or detector."""
    t = (np.arange(slabs + 1) - rays.source[main]) / (rays.corner[main] - rays.source[main])
    return t, ((t[:-1] >= 0) & (t[:-1] <= 1)).astype(np.float32), 1


def _library() -> ctypes.CDLL:
    library = _build.library()
    assert not isinstance(library, str), library
    library.axis_view.restype = ctypes.c_void_p
    return library


def _size(shape: tuple[int, ...]) -> NDArray[np.int32]:
    return np.array(shape[::-1], np.int32)


def _numbers(model: AttenuationModel) -> NDArray[np.float32]:
    return np.array([model.threshold, model.zero, model.slope], np.float32)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _threads(threads: int) -> int:
    require_threads(threads)
    if threads:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _each(threads: int, work: Callable[[Job], None], jobs: Iterable[Job]) -> None:
    """Call work(job) for all jobs on some threads; raises what a job raised. The library runs without Python's lock."""
    waiting, errors = list(jobs)[::-1], list[BaseException]()

    def worker() -> None:
        while not errors:
            try:
                job = waiting.pop()
            except IndexError:
                return
            try:
                work(job)
            except BaseException as error:
                errors.append(error)

    workers = [threading.Thread(target=worker) for _ in range(min(_threads(threads), len(waiting)) - 1)]
    for thread in workers:
        thread.start()
    worker()
    for thread in workers:
        thread.join()
    if errors:
        raise errors[0]
