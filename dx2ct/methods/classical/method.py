"""The classical methods: HU = slope mu + offset, fitted by least squares to the training scans, for a solver's mu.

That is the line in the solvers' favour, so these are honest floors for the trained methods. SART may begin with the
mean training volume: the line is then one of what it changes, and the mean's HU are added.

The X-rays are read as line integrals (1/mm times mm), not stretched to [0, 1] as films are for the networks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
import torch

from drr.attenuation import PLASTIMATCH
from drr.torch import grid_of
from dx2ct.config import EngineSettings, parse, PLAIN_ENGINE, ReconstructSettings
from dx2ct.config.methods import ClassicalSettings, SartRun
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_integrals, read_stack
from dx2ct.data.window import windowed
from dx2ct.methods.base import training_scans, WEIGHTS, write_run
from dx2ct.methods.classical.solvers import backprojected, sart

Array = NDArray[np.float32]


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
    return backprojected(images, views, grid, run.filter)


def _mean_volume(settings: ClassicalSettings, scans: Sequence[str], data: Path) -> dict[str, Array]:
    """Mean HU and mean attenuation of the scans for a SART that starts there, else zeros."""
    hu, mu = (np.zeros((settings.slices.size,) * 3) for _ in range(2))
    if isinstance(settings.run, SartRun) and settings.run.start == "mean":
        for scan in scans:
            one = windowed(read_stack(data, scan, "axial", settings.slices.size))
            hu += one / len(scans)
            mu += PLASTIMATCH(one) / len(scans)
    return {"mean_hu": hu.astype(np.float32), "mean_mu": mu.astype(np.float32)}
