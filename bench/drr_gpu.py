"""The ray-caster on a GPU: parity with the reference, time of a view, the bandwidth floor, and nanodrr beside it.

    pip install -e ".[gpu]"                         # CuPy; ".[gpu-cuda12]" for CUDA 12
    pip install nanodrr                             # optional: the peer, with a torch for CUDA
    python bench/drr_gpu.py [--views 128] [--rounds 7]

320 cubed to 320 squared, int16 random HU; the views of one call go round the patient in equal steps.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
import statistics
import sys
from typing import Any

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the folder of this file would hide the package drr

from bench.raycaster.common import random_volume, relative, seconds, spread  # noqa: E402
from drr import _cupy  # noqa: E402
from drr._rays import METHODS, rays_through  # noqa: E402
from drr.attenuation import PLASTIMATCH  # noqa: E402
from drr.caster import render  # noqa: E402
from drr.geometry import ConeBeam, PRESETS, View  # noqa: E402
from drr.volume import Volume  # noqa: E402

SIDE, PARITY_SIDE, SAMPLES = 320, 96, 500
BEAM = PRESETS["x2ct"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if not _cupy.available():
        sys.exit("error: CuPy and a GPU are needed, and one of them is missing here")
    print(f"Device: {_device_name()}")
    print(f"Relative L2 distance to the reference, {PARITY_SIDE} cubed, 8 views: {parity():.1e} (limit 1e-5)")
    volume = random_volume(SIDE)
    views = around(BEAM, volume, options.views)
    whole = [1000 * seconds(lambda: render(volume, views, "cuda")) / len(views) for _ in range(options.rounds + 1)][1:]
    print(f"With transfers of volume and images, ms a view: {spread(whole, 3)} (min / median / max)")
    _beside(volume, views, options.rounds)


def _beside(volume: Volume, views: Sequence[View], rounds: int) -> None:
    own, peer = kernel(volume, views), nanodrr(volume, views)
    ours, theirs = [], []
    for _ in range(rounds):  # in turn, so that both see the same clocks
        ours.append(milliseconds(own) / len(views))
        if peer:
            theirs.append(milliseconds(peer) / len(views))
    floor = 1000 * volume.array.nbytes / bandwidth(rounds)
    print(f"Kernel, ms a view: {spread(ours, 3)} (CUDA events, {len(views)} views a launch)")
    print(f"Floor, the volume read once at the measured bandwidth: {floor:.3f} ms; ", end="")
    print(f"kernel / floor: {statistics.median(ours) / floor:.1f}")
    if peer:
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        print(f"nanodrr (Triton, {SAMPLES} samples), ms a view: {spread(theirs, 3)}; its time / ours: {spread(ratios)}")
    else:
        print("nanodrr left out: it, Triton or a torch that sees the GPU is missing")


def around(beam: ConeBeam, volume: Volume, count: int) -> list[View]:
    return [beam.rotated(360 * i / count, 0, volume.centre_mm) for i in range(count)]


def parity() -> float:
    """The worst of eight views, four of them along the axes: the device's image against float64 NumPy."""
    volume = random_volume(PARITY_SIDE)
    views = around(BEAM.with_pixels(PARITY_SIDE), volume, 8)
    pairs = zip(render(volume, views, "cuda"), render(volume, views, "numpy"), strict=True)
    return max(relative(image, truth) for image, truth in pairs)


def kernel(volume: Volume, views: Sequence[View]) -> Callable[[], None]:
    """One launch for all views, with everything on the device already."""
    import cupy

    voxels, model = PLASTIMATCH.prepare(volume.array)
    rows, columns = views[0].rows, views[0].columns
    numbers = [np.float32(value) for value in (model.threshold, model.zero, model.slope)]
    before = (np.int32(METHODS["siddon"]), cupy.asarray(voxels), *_cupy._size(voxels.shape), *numbers)
    rays = cupy.asarray(np.stack([rays_through(volume, view).packed() for view in views]))
    images = cupy.empty((len(views), rows, columns), cupy.float32)
    function = _cupy._kernels(cupy.cuda.Device().id).get_function(f"render_{voxels.dtype.name}")
    block = _cupy._BLOCK
    grid = (-(-columns // block[0]), -(-rows // block[1]), len(views))
    return lambda: function(grid, block, (*before, rays, np.int32(rows), np.int32(columns), images))


def nanodrr(volume: Volume, views: Sequence[View]) -> Callable[[], None] | None:
    """All views in one call of its fused kernel, on the same device and attenuation; None where it is missing."""
    if find_spec("nanodrr") is None:
        return None
    from nanodrr.camera import make_k_inv
    from nanodrr.data import Subject
    from nanodrr.drr import render as march
    from nanodrr.drr.backends import available
    import torch

    if not (torch.cuda.is_available() and available("triton")):
        return None
    mu = torch.from_numpy(PLASTIMATCH(volume.array).astype(np.float32))[None, None]
    to_world = np.diag([*volume.spacing_mm, 1.0])
    to_world[:3, 3] = volume.origin_mm
    matrices = [torch.tensor(m, dtype=torch.float32) for m in (to_world, np.linalg.inv(to_world))]
    grid, zero = Subject._make_voxel_to_grid(mu.shape), torch.zeros(3)
    subject = Subject(mu, torch.zeros_like(mu), *matrices, grid, zero, max_label=0, convert_to_mu=False).cuda()
    (height, width), sdd = BEAM.pixel_mm, BEAM.source_detector_mm
    k_inv = make_k_inv(sdd, width, height, 0.0, 0.0, BEAM.rows, BEAM.columns).cuda().expand(len(views), -1, -1)
    poses = torch.tensor(np.stack([_pose(view) for view in views]), dtype=torch.float32).cuda()
    distances = torch.full((len(views),), sdd).cuda()

    def call() -> None:
        with torch.no_grad():
            march(subject, k_inv, poses, distances, BEAM.rows, BEAM.columns, SAMPLES, backend="triton")

    return call


def _pose(view: View) -> Any:
    """Camera to patient: right, down, forward, and where the source is; 4 x 4."""
    right, down = (np.array(step) / np.linalg.norm(step) for step in (view.column_step_mm, view.row_step_mm))
    pose = np.eye(4)
    pose[:3] = np.stack([right, down, np.cross(right, down), view.source_mm], axis=1)
    return pose


def milliseconds(work: Callable[[], None]) -> float:
    """Time of one call between two events on the device, after a call that warms up. Torch uses the same stream."""
    import cupy

    work()
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    work()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end))


def bandwidth(rounds: int) -> float:
    """Bytes a second of the device's memory: a copy of 1 GiB reads and writes each byte once; the median."""
    import cupy

    source = cupy.zeros(2**28, cupy.float32)
    target = cupy.empty_like(source)
    times = [milliseconds(lambda: cupy.copyto(target, source)) for _ in range(rounds)]
    return 2.0 * float(source.nbytes) / (statistics.median(times) / 1000)


def _device_name() -> str:
    import cupy

    return str(cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode())


if __name__ == "__main__":
    main()
