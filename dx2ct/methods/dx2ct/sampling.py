"""One scan from its X-rays by a trained network: noise, solver, planes, consistency, samples."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from tqdm import tqdm

from drr.torch import grid_of
from dx2ct.config import Dx2ctSettings, ReconstructSettings
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_integrals, read_xrays
from dx2ct.data.window import to_hu, to_network
from dx2ct.methods.base import DEVIATION
from dx2ct.methods.dx2ct.memory import plan
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.slices import Keep, Slices
from dx2ct.methods.runtime import prepared
from dx2ct.samplers import diffusion
from dx2ct.samplers.consistency import consistent, Projector
from dx2ct.samplers.dpm import dpm
from dx2ct.samplers.triplane import fused, sliced, to_volumes
from dx2ct.training.batches import plane_coordinates
from dx2ct.training.engine import autocast_of

Correct = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@torch.inference_mode()
def sample(
    model: DX2CT,
    settings: Dx2ctSettings,
    how: ReconstructSettings,
    scan: str,
    data: Path,
    device: torch.device,
    keep: Keep | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Volumes of one scan, (z, y, x) HU: one a plane and, of several samples, the deviation of their mean over planes.

    keep: what of the conditions is kept from step to step; None: as much as memory allows (samplers/memory.py).
    """
    run, size, count = settings.run, settings.slices.size, how.samples
    model, correct = prepared(model, device), None
    if how.consistency.iterations:
        projector, integrals = projection_of(settings, scan, data)
        correct = partial(consistent, projector, integrals=integrals, how=how.consistency)
    xrays = torch.from_numpy(read_xrays(data, scan, run.views, settings.model.xray_pixels))[None].to(device)
    coordinates = plane_coordinates(size).to(device)
    schedule = diffusion.linear_schedule(settings.diffusion)
    with (
        autocast_of("auto", device)() if device.type == "cuda" else nullcontext(),
        tqdm(total=len(PLANES) * size * how.steps, desc=scan, unit="slice", disable=None) as bar,
    ):
        fits = plan(model, xrays, coordinates, how.batch, count)
        keep = fits.keep if keep is None else keep
        network = Slices(model, xrays, coordinates, fits.batch, count, keep, bar.update)
        solve = partial(_solve, schedule, run.prediction, network, how)
        clean = solve(noise_of(how, size).to(device), _reviser(how, correct))
    stacks = clean.view(count, len(PLANES), size, size, size)
    volumes = to_hu(to_volumes(stacks).cpu().float().numpy())
    return _results(volumes, correct)


def noise_of(how: ReconstructSettings, size: int) -> Tensor:
    """Where all slices start, (samples 3 N, 1, N, N): of each sample one image for every slice (the paper), or one
    volume that every plane sees through its own slices."""
    generator = torch.Generator().manual_seed(how.seed)
    if how.noise == "volume":
        return sliced(torch.randn(how.samples, size, size, size, generator=generator))
    images = torch.randn(how.samples, 1, size, size, generator=generator)
    return images[:, None].expand(-1, len(PLANES) * size, -1, -1, -1).flatten(0, 1)


def projection_of(settings: Dx2ctSettings, scan: str, data: Path) -> tuple[Projector, NDArray[np.float32]]:
    """The exposures of a scan at the resolution of its slices, and its line integrals there, (view, N, N)."""
    size, beam = settings.slices.size, settings.xray.cone_beam
    views = [beam.view(view, (0.0, 0.0, 0.0)) for view in settings.run.views]
    grid = grid_of(size, settings.volume.size * settings.volume.spacing_mm / size)
    return Projector(grid, views, size), read_integrals(data, scan, settings.run.views, size)


def _solve(
    schedule: diffusion.Schedule,
    prediction: diffusion.Prediction,
    network: Slices,
    how: ReconstructSettings,
    noise: Tensor,
    revise: diffusion.Revise | None,
) -> Tensor:
    if how.solver == "dpm":
        return dpm(schedule, prediction, network, noise, how.steps, revise)
    generator = torch.Generator().manual_seed(how.seed + 1)
    return diffusion.ddim(schedule, prediction, network, noise, how.steps, how.eta, generator, revise)


def _reviser(how: ReconstructSettings, correct: Correct | None) -> diffusion.Revise | None:
    """What becomes of the clean estimates between two steps."""
    if how.planes == "alone":
        return None
    between = correct if how.consistency.when == "steps" else None

    def revise(clean: Tensor) -> Tensor:
        volumes = fused(clean, how.samples)
        if between:
            moved = [to_network(between(to_hu(volume))) for volume in volumes.cpu().float().numpy()]
            volumes = torch.from_numpy(np.stack(moved)).to(clean)
        return sliced(volumes)

    return revise


def _results(volumes: NDArray[np.float32], correct: Correct | None) -> dict[str, NDArray[np.float32]]:
    """volumes: (sample, plane, z, y, x) HU."""
    fused_ = volumes.mean(axis=1)
    if correct:  # the delivered volume is one, and so are its three copies
        fused_ = np.stack([correct(volume) for volume in fused_])
        volumes = np.broadcast_to(fused_[:, None], volumes.shape)
    if len(volumes) == 1:
        return dict(zip(PLANES, volumes[0], strict=True))
    results = dict(zip(PLANES, volumes.mean(axis=0), strict=True))
    return results | {DEVIATION: fused_.std(axis=0, ddof=1)}
