"""Classical references: back-projection, plain or filtered, and SART. What needs next to no learning.

All give attenuation, up to what two views leave open; a line HU = slope mu + offset, fitted by least squares to the
training scans, makes it HU. That is the most favourable line, so these are honest floors for the learned methods. SART
may begin with the mean training volume: the line is then one of what it changes, and the mean's HU are added.

The X-rays are read as line integrals (1/mm times mm), not stretched to [0, 1] as films are for the networks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
import torch

from drr.attenuation import IDENTITY, PLASTIMATCH
from drr.caster import backproject, render
from drr.geometry import ConeBeam, View
from drr.torch import grid_of
from drr.volume import Volume
from dx2ct.config import EngineSettings, parse, PLAIN_ENGINE, ReconstructSettings
from dx2ct.config.methods import BackprojectionRun, ClassicalSettings, SartRun
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_integrals, read_stack
from dx2ct.data.window import windowed
from dx2ct.methods.base import training_scans, WEIGHTS, write_run

Array = NDArray[np.float32]
_LEAST_MM = 1e-3  # of a ray in the cube, or of rays in a voxel: less is a miss


def train(
    settings: str,
    rows: Sequence[Row],
    data: Path,
    output: Path,
    device: torch.device,
    engine: EngineSettings = PLAIN_ENGINE,
) -> None:
    """Fit the line from attenuation to HU, clipped to the window, over all voxels of the training scans."""
    parsed = parse(ClassicalSettings, settings)
    scans = training_scans(rows)
    start = _mean_volume(parsed, scans, data)
    moments = np.zeros(4)
    for scan in scans:
        x = (attenuation(parsed, start["mean_mu"], data, scan) - start["mean_mu"]).astype(np.float64)
        y = windowed(read_stack(data, scan, "axial", parsed.slices.size)) - start["mean_hu"]
        moments += [x.mean(), y.mean(), (x * x).mean(), (x * y).mean()]
    x1, y1, x2, xy = moments / len(scans)
    slope = (xy - x1 * y1) / max(x2 - x1**2, 1e-12)
    write_run(save(start | {"line": np.array([slope, y1 - slope * x1], np.float32)}), parsed, output)


def reconstruct(
    settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
) -> dict[str, Array]:
    """One volume, the same for the three planes."""
    fitted = load_file(run / WEIGHTS)
    slope, offset = fitted["line"]
    change = attenuation(parse(ClassicalSettings, settings), fitted["mean_mu"], data, scan) - fitted["mean_mu"]
    hu = fitted["mean_hu"] + slope * change + offset
    return dict.fromkeys(PLANES, windowed(hu).astype(np.float32))


def attenuation(settings: ClassicalSettings, start: Array, data: Path, scan: str) -> Array:
    """(z, y, x) in 1/mm on the training grid, from the scan's X-rays and, for SART, a volume to start from."""
    run, volume, size = settings.run, settings.volume, settings.slices.size
    beam = settings.xray.cone_beam.with_pixels(run.pixels)
    views = [beam.view(name, (0.0, 0.0, 0.0)) for name in run.views]
    grid = grid_of(size, volume.spacing_mm * volume.size / size)
    images = read_integrals(data, scan, run.views, run.pixels)
    if isinstance(run, SartRun):
        return sart(images, views, grid, run.iterations, run.relaxation, start)
    return backprojected(images, views, grid, run, beam)


def _mean_volume(settings: ClassicalSettings, scans: Sequence[str], data: Path) -> dict[str, Array]:
    """Mean HU and mean attenuation of the scans for a SART that starts there, else zeros."""
    hu, mu = (np.zeros((settings.slices.size,) * 3) for _ in range(2))
    if isinstance(settings.run, SartRun) and settings.run.start == "mean":
        for scan in scans:
            one = windowed(read_stack(data, scan, "axial", settings.slices.size))
            hu += one / len(scans)
            mu += PLASTIMATCH(one) / len(scans)
    return {"mean_hu": hu.astype(np.float32), "mean_mu": mu.astype(np.float32)}


def backprojected(images: Array, views: Sequence[View], grid: Volume, run: BackprojectionRun, beam: ConeBeam) -> Array:
    """The mean over views of what the rays through a voxel carry, (z, y, x) in 1/mm.

    none: a ray carries its integral over its length in the cube; ramp: its filtered integral, as FDK (Feldkamp, Davis
    and Kress 1984) does, up to a factor that the fitted line knows. Voxels that no ray of a view meets take no part.
    """
    total, seen = np.zeros(grid.array.shape), np.zeros(grid.array.shape)
    for image, view in zip(images, views, strict=True):
        carried = ramp_filtered(image, beam) if run.filter == "ramp" else _over(image, _lengths([view], grid)[0])
        covered = backproject(np.ones_like(image)[None], [view], grid)
        weight = _magnification(view, grid, beam) ** 2 if run.filter == "ramp" else 1.0
        total += weight * _over(backproject(carried[None], [view], grid), covered)
        seen += covered > _LEAST_MM
    return np.asarray(total / np.maximum(seen, 1), np.float32)


def ramp_filtered(image: Array, beam: ConeBeam) -> Array:
    """FDK's cosine weight, then Ram and Lakshminarayanan's filter along the rows (Kak and Slaney 1988, eq. 3.61)."""
    columns = image.shape[1]
    height, width = beam.pixel_mm
    v = (np.arange(image.shape[0])[:, None] - (image.shape[0] - 1) / 2) * height
    u = (np.arange(columns) - (columns - 1) / 2) * width
    weighted = image * beam.source_detector_mm / np.sqrt(beam.source_detector_mm**2 + u**2 + v**2)
    n = np.arange(2 * columns) - columns
    odd = n % 2 == 1
    kernel = np.where(n == 0, 0.25, 0.0)
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    spectrum = np.fft.rfft(np.fft.ifftshift(kernel)) * np.fft.rfft(weighted, 2 * columns)
    return np.asarray(np.fft.irfft(spectrum)[:, :columns] / width, np.float32)


def sart(images: Array, views: Sequence[View], grid: Volume, iterations: int, relaxation: float, start: Array) -> Array:
    """SART (Andersen and Kak 1984), one view after the other, never negative; start and result (z, y, x) in 1/mm.

    A ray's error, over its length in the cube, is spread over the voxels that it crosses.
    """
    mu = start
    lengths = _lengths(views, grid)
    covered = [backproject(np.ones_like(image)[None], [view], grid) for image, view in zip(images, views, strict=True)]
    for _ in range(iterations):
        for image, view, length, cover in zip(images, views, lengths, covered, strict=True):
            there = Volume(mu, grid.spacing_mm, grid.origin_mm)
            error = image - render(there, [view], attenuation=IDENTITY)[0]
            step = _over(backproject(_over(error, length)[None], [view], grid), cover)
            mu = np.maximum(mu + np.float32(relaxation) * step, 0)
    return mu


def _lengths(views: Sequence[View], grid: Volume) -> Array:
    """Millimetres of every ray in the cube, (view, row, column)."""
    full = Volume(np.ones(grid.array.shape, np.float32), grid.spacing_mm, grid.origin_mm)
    return render(full, views, attenuation=IDENTITY)


def _magnification(view: View, grid: Volume, beam: ConeBeam) -> Array:
    """Source-isocentre distance over the voxel's own along the central ray, (z, y, x)."""
    z, y, x = np.meshgrid(*([grid.origin_mm[0] + np.arange(len(grid.array)) * grid.spacing_mm[0]] * 3), indexing="ij")
    depth = beam.source_isocentre_mm - np.stack([x, y, z], -1) @ np.array(view.source_mm) / beam.source_isocentre_mm
    return np.asarray(beam.source_isocentre_mm / depth, np.float32)


def _over(value: Array, size: Array) -> Array:
    """value / size, 0 where there is as good as nothing to divide by."""
    return np.asarray(np.where(size > _LEAST_MM, value / np.maximum(size, _LEAST_MM), 0), np.float32)
