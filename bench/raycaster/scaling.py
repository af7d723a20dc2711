"""Cost of a voxel crossing as the volume and the detector grow together."""

from collections import defaultdict
from dataclasses import replace
from functools import partial
import statistics

import numpy as np

from bench.raycaster.common import Bench, own_view, seconds, table, VIEWS
from drr._rays import Rays, rays_through
from drr.caster import render
from drr.geometry import View
from drr.volume import Volume

SIDES = (128, 256, 320, 512)


def run(bench: Bench) -> None:
    print("ns a voxel crossing (median), and millions of crossings; crossings are counted from the geometry.\n")
    volumes = {n: resampled(bench.volume, n) for n in SIDES}
    views = {(n, name): own_view(name, volumes[n].centre_mm, n) for n in SIDES for name in VIEWS}
    times: dict[tuple[int, str], list[float]] = defaultdict(list)
    for i in range(bench.rounds + 1):
        for key, view in views.items():
            spent = seconds(partial(render, volumes[key[0]], [view], "cpu", threads=bench.threads))
            if i:
                times[key].append(spent)
    rows = []
    for name in VIEWS:
        counts = [crossings(volumes[n], views[n, name]) for n in SIDES]
        cost = [1e9 * statistics.median(times[n, name]) / count for n, count in zip(SIDES, counts, strict=True)]
        cells = [f"{ns:.2f} ({count / 1e6:.1f})" for ns, count in zip(cost, counts, strict=True)]
        rows.append([name, *cells, f"{max(cost) / min(cost):.2f}"])
    table(["view", *(f"{n} cubed" for n in SIDES), "largest / smallest"], rows)


def resampled(volume: Volume, n: int) -> Volume:
    """The same box in n cubed voxels, by nearest neighbours."""
    z, y, x = ((np.arange(n) + 0.5) * size // n for size in volume.array.shape)
    array = volume.array[np.ix_(z.astype(int), y.astype(int), x.astype(int))]
    sides = [size * step for size, step in zip(volume.array.shape[::-1], volume.spacing_mm, strict=True)]
    return replace(volume, array=np.ascontiguousarray(array), spacing_mm=tuple(side / n for side in sides))


def crossings(volume: Volume, view: View) -> int:
    """Voxels that the rays of a view cross: one, and one more for every plane between voxels that a ray passes."""
    rays = rays_through(volume, view)
    return sum(_of_row(rays, row, np.array(volume.array.shape[::-1])) for row in range(view.rows))


def _of_row(rays: Rays, row: int, size: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
    ends = rays.corner + row * rays.row_step + np.arange(rays.shape[1])[:, None] * rays.column_step
    direction = ends - rays.source
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = (-0.5 - rays.source) / direction, (size - 0.5 - rays.source) / direction
    enter = np.fmax(0, np.nanmax(np.fmin(near, far), axis=1))[:, None]
    leave = np.fmin(1, np.nanmin(np.fmax(near, far), axis=1))[:, None]
    first, last = (
        np.clip(np.floor(rays.source + t * direction + 0.5), 0, size - 1).astype(np.int64) for t in (enter, leave)
    )
    return int(((np.abs(last - first).sum(axis=1) + 1) * (enter < leave)[:, 0]).sum())
