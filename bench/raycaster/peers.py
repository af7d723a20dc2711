"""One peer in its own process and environment: python peers.py NAME FOLDER; then the names of views on standard input.

Reads FOLDER/mu.npy (z, y, x; attenuation in 1/mm), FOLDER/ct.mha and FOLDER/setup.json. Answers every view with one
line of JSON, the seconds of the rendering alone, and leaves the image in FOLDER/NAME_VIEW.npy as line integrals, row
0 = head, as seen from the source. What each peer calls its geometry stands in its function. Knows nothing of the
package drr.
"""

from collections.abc import Callable
import json
import os
from pathlib import Path
import re
import subprocess
import sys
import time
from typing import Any

import numpy as np

Image = Any
Timed = tuple[float, Image]
FOLDER = Path(sys.argv[2])
SETUP = json.loads((FOLDER / "setup.json").read_text())
N, PIXEL = SETUP["pixels"], SETUP["side_mm"] / SETUP["pixels"]


def plastimatch() -> Callable[[dict[str, Any]], Timed]:
    """Its own program, and the time that it prints without writing: column 0 as seen from the source, integral / 10."""
    program = Path(sys.executable).parent / "plastimatch"
    if not program.exists():
        raise ImportError(f"no program {program.name}")

    def render(view: dict[str, Any]) -> Timed:
        normal = np.array(view["source"]) / SETUP["sad"]
        command = [program, "drr", "-i", "exact", "-t", "pfm", "--sad", SETUP["sad"], "--sid", SETUP["sid"]]
        command += ["--nrm", "{} {} {}".format(*normal), "-o", "{} {} {}".format(*SETUP["isocentre"])]
        command += ["-r", f"{N} {N}", "-z", "{0} {0}".format(SETUP["side_mm"]), "-O", FOLDER / "p", FOLDER / "ct.mha"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
        told = dict(re.findall("(Total|I/O) time: ([0-9.e-]+)", done.stdout))
        pixels = np.frombuffer((FOLDER / "p0000.pfm").read_bytes()[-4 * N * N :], "<f4")  # top row first
        return float(told["Total"]) - float(told["I/O"]), 10 * pixels.reshape(N, N)

    return render


def rtk() -> Callable[[dict[str, Any]], Timed]:
    """Columns run along u, rows against v: v must point up, so that u x v points to the source."""
    import itk
    from itk import RTK

    kind = itk.Image[itk.F, 3]
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(SETUP["threads"])
    volume = _itk_image(itk, centred=True)

    def render(view: dict[str, Any]) -> Timed:
        column, row = (np.array(view[name]) for name in ("column_step", "row_step"))
        centre = np.array(view["corner"]) + (N - 1) / 2 * (column + row)
        point, vector = itk.Point[itk.D, 3], itk.Vector[itk.D, 3]
        geometry = RTK.ThreeDCircularProjectionGeometry.New()
        geometry.AddProjection(
            point(list(view["source"])), point(list(centre)), vector(list(column / PIXEL)), vector(list(-row / PIXEL))
        )
        empty = itk.image_from_array(np.zeros((1, N, N), np.float32))
        empty.SetSpacing([PIXEL, PIXEL, 1.0])
        empty.SetOrigin([-(N - 1) / 2 * PIXEL, -(N - 1) / 2 * PIXEL, 0.0])
        joseph = RTK.JosephForwardProjectionImageFilter[kind, kind].New()
        joseph.SetInput(0, empty)
        joseph.SetInput(1, volume)
        joseph.SetGeometry(geometry)
        spent = _seconds(joseph.Update)
        return spent, itk.array_from_image(joseph.GetOutput())[0, ::-1]

    return render


def itk() -> Callable[[dict[str, Any]], Timed]:
    """Its box is [0, n * spacing] whatever the origin, its sums are fractions of the ray from source to pixel."""
    import itk

    kind = itk.Image[itk.F, 3]
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(SETUP["threads"])
    volume = _itk_image(itk, centred=False)
    half = (np.arange(N) - (N - 1) / 2) * PIXEL
    ray_mm = np.sqrt(half[:, None] ** 2 + half[None, :] ** 2 + SETUP["sid"] ** 2)

    def render(view: dict[str, Any]) -> Timed:
        transform = itk.Euler3DTransform[itk.D].New()
        transform.SetComputeZYX(True)
        size = np.array(itk.size(volume))
        transform.SetCenter([float(c) for c in size * SETUP["spacing"] / 2])
        caster = itk.SiddonJacobsRayCastInterpolateImageFunction[kind, itk.D].New()
        caster.SetProjectionAngle(np.deg2rad(view["gantry_deg"]))
        caster.SetFocalPointToIsocenterDistance(SETUP["sad"])
        caster.SetThreshold(0.0)
        caster.SetTransform(transform)
        caster.Initialize()
        screen = itk.ResampleImageFilter[kind, kind].New()
        screen.SetInput(volume)
        screen.SetDefaultPixelValue(0)
        screen.SetSize([N, N, 1])
        screen.SetOutputSpacing([PIXEL, PIXEL, 1.0])
        screen.SetOutputOrigin([-(N - 1) / 2 * PIXEL, -(N - 1) / 2 * PIXEL, -float(SETUP["sid"])])
        screen.SetInterpolator(caster)
        spent = _seconds(screen.Update)
        return spent, itk.array_from_image(screen.GetOutput())[0, ::-1] * ray_mm

    return render


def nanodrr() -> Callable[[dict[str, Any]], Timed]:
    """Camera axes: right, down, forward. The world may be any; here it is the patient's, around the isocentre."""
    from nanodrr.camera import make_k_inv
    from nanodrr.data import Subject
    from nanodrr.drr import render as march
    import torch

    torch.set_num_threads(SETUP["threads"])
    mu = torch.from_numpy(np.load(FOLDER / "mu.npy"))[None, None]
    to_world = np.eye(4)
    to_world[:3, :3] = np.diag(SETUP["spacing"])
    to_world[:3, 3] = _origin(mu.shape[2:])
    matrices = [torch.tensor(m, dtype=torch.float32) for m in (to_world, np.linalg.inv(to_world))]
    grid = Subject._make_voxel_to_grid(mu.shape)
    subject = Subject(mu, torch.zeros_like(mu), *matrices, grid, torch.zeros(3), max_label=0, convert_to_mu=False)
    k_inv = make_k_inv(SETUP["sid"], PIXEL, PIXEL, 0.0, 0.0, N, N)
    sdd = torch.tensor([float(SETUP["sid"])])

    def render(view: dict[str, Any]) -> Timed:
        to_patient = np.eye(4)
        right, down = (np.array(view[name]) / PIXEL for name in ("column_step", "row_step"))
        to_patient[:3] = np.stack([right, down, np.cross(right, down), view["source"]], axis=1)
        pose = torch.tensor(to_patient[None], dtype=torch.float32)
        with torch.no_grad():
            start = time.perf_counter()
            image = march(subject, k_inv, pose, sdd, N, N)
            return time.perf_counter() - start, image[0, 0].numpy()

    return render


def diffdrr() -> Callable[[dict[str, Any]], Timed]:
    """Points in voxels, centres at whole numbers, volume (x, y, z). Eight parts of the image, or it needs 10 GB."""
    from diffdrr.renderers import Siddon
    import torch

    torch.set_num_threads(SETUP["threads"])
    mu = np.load(FOLDER / "mu.npy")
    volume, origin = torch.from_numpy(mu.transpose(2, 1, 0).copy()), _origin(mu.shape)
    siddon = Siddon()

    def render(view: dict[str, Any]) -> Timed:
        r, c = np.mgrid[:N, :N].reshape(2, -1, 1)
        ends = view["corner"] + r * np.array(view["row_step"]) + c * np.array(view["column_step"])
        length = torch.tensor(np.linalg.norm(ends - view["source"], axis=1), dtype=torch.float32)
        source, target = (
            torch.tensor((np.array(p) - origin) / SETUP["spacing"], dtype=torch.float32) for p in (view["source"], ends)
        )
        with torch.no_grad():
            start = time.perf_counter()
            parts = [
                siddon(volume, source[None, None], part[None], mm[None, None])
                for part, mm in zip(target.chunk(8), length.chunk(8), strict=True)
            ]
            spent = time.perf_counter() - start
        return spent, torch.cat(parts, dim=-1).reshape(N, N).numpy()

    return render


def _origin(shape: Any) -> Any:
    """Centre of voxel 0 as x, y, z in mm, with the isocentre at 0."""
    return -(np.array(shape[::-1]) - 1) / 2 * SETUP["spacing"]


def _itk_image(itk: Any, centred: bool) -> Any:
    mu = np.load(FOLDER / "mu.npy")
    image = itk.image_from_array(mu)
    image.SetSpacing(SETUP["spacing"])
    image.SetOrigin([float(o) for o in _origin(mu.shape)] if centred else [0.0, 0.0, 0.0])
    return image


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    peers = {"plastimatch": plastimatch, "rtk": rtk, "itk": itk, "nanodrr": nanodrr, "diffdrr": diffdrr}
    os.environ["OMP_NUM_THREADS"] = str(SETUP["threads"])

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    try:
        render = peers[name]()
    except (ImportError, AttributeError) as error:  # itk finds its modules only when they are asked for
        return answer(missing=str(error))
    answer(ready=name)
    for line in sys.stdin:
        view = line.strip()
        spent, image = render(SETUP["views"][view])
        np.save(FOLDER / f"{name}_{view}.npy", np.ascontiguousarray(image))
        answer(seconds=spent)
    return None


if __name__ == "__main__":
    main(sys.argv[1])
