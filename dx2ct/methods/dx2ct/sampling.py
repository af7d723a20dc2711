"""One patient from X-rays by a trained network: noise, solver, planes, consistency, samples."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from drr.errors import InputError
from drr.progress import bar as progress_bar
from drr.progress import show
from dx2ct.config import SamplingOptions
from dx2ct.data.planes import plane_coordinates, PLANES
from dx2ct.data.scans import stretched
from dx2ct.data.window import to_hu, to_network
from dx2ct.geometry import projection_matrices, Views
from dx2ct.methods.consistency import Correct, correction
from dx2ct.methods.contract import (
    checked_xrays,
    Planes,
    require_exposures,
    require_geometry,
    require_grid,
    spec_of,
    Trained,
    Xrays,
)
from dx2ct.methods.dx2ct.memory import plan
from dx2ct.methods.dx2ct.network import DX2CT, schedule_of
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.dx2ct.slices import Keep, Slices
from dx2ct.samplers import require_solver
from dx2ct.samplers.diffusion import Network, Revise, split
from dx2ct.samplers.triplane import fused, sliced, to_volumes
from dx2ct.training.engine import autocast_of, in_channels_last
from dx2ct.training.runtime import Runtime

Array = NDArray[np.float32]


class TrainedDx2ct(Trained):
    """A network in memory, with what all its reconstructions share."""

    def __init__(self, model: DX2CT, settings: Dx2ctSettings, runtime: Runtime) -> None:
        self.model, self.settings, self.runtime = model.to(runtime.device).eval(), settings, runtime
        self.inputs = spec_of(settings, settings.slices.size)
        self.coordinates = torch.from_numpy(plane_coordinates(settings.slices.size)).to(runtime.device)
        self.schedule = schedule_of(settings)
        in_channels_last(self.model, runtime.device, runtime.engine)
        if runtime.engine.compile:
            self.model.unet.compile(dynamic=True)

    @torch.inference_mode()
    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions, keep: Keep | None = None) -> Planes:
        """Every slice of every plane, from one noise image that all slices share or from one noise volume.

        keep: what of the conditions is kept from step to step; None: as much as memory allows (memory.py).
        """
        images = checked_xrays(xrays, self.inputs)
        lifted = self.settings.run.conditions == "lifted"
        (require_grid if lifted else require_geometry)(geometry, self.inputs)
        require_exposures(geometry, self.inputs.names)
        matrices = projection_matrices(geometry, self.inputs.names) if lifted else None
        solver, device = _solver(options), self.runtime.device
        correct = None
        if options.consistency.iterations:
            named = dict(zip(self.inputs.names, images, strict=True))
            correct = correction(named, geometry, options.consistency, self.settings.xray.attenuation)
        size, count = self.settings.slices.size, options.samples
        with (
            autocast_of("auto", device)() if device.type == "cuda" else nullcontext(),
            progress_bar("reconstruct", "slice", len(PLANES) * size * options.steps) as bar,
        ):
            clean: Tensor = solver(
                self.schedule,
                self.settings.run.prediction,
                self._shown(self._network(images, matrices, options.batch, count, keep, bar.update), count),
                noise_of(options, size).to(device),
                options.steps,
                options.eta,
                torch.Generator().manual_seed(options.seed + 1),
                _reviser(options, correct),
            )
        stacks = clean.view(count, len(PLANES), size, size, size)
        return _planes(to_hu(to_volumes(stacks).cpu().float().numpy()), correct)

    def _network(
        self,
        images: list[Array],
        matrices: Array | None,
        most: int,
        samples: int,
        keep: Keep | None,
        done: Callable[[int], object],
    ) -> Slices:
        """The network with the conditions of some images, at most so many slices at once as memory allows."""
        size = self.settings.slices.size
        xrays = torch.from_numpy(np.stack([stretched(image, size) for image in images]))[None].to(self.runtime.device)
        fits = plan(self.model, xrays, self.coordinates, most, samples, self.runtime.max_memory_mb)
        where = None if matrices is None else torch.from_numpy(matrices)[None].to(xrays.device)
        return Slices(self.model, xrays, self.coordinates, fits.batch, samples, keep or fits.keep, done, where)

    def _shown(self, network: Network, samples: int) -> Network:
        """The same network, whose estimate after every step is shown to whoever watches: (z, y, x) HU."""

        def call(x: Tensor, t: Tensor) -> Tensor:
            output = network(x, t)
            show(lambda: _estimate(split(self.schedule, self.settings.run.prediction, output, x, t)[0], samples))
            return output

        return call


def _estimate(clean: Tensor, samples: int) -> Array:
    return to_hu(fused(clean, samples).mean(dim=0).cpu().float().numpy())


def _solver(options: SamplingOptions) -> Any:
    """The solver's function; InputError for one that cannot do what is asked."""
    try:
        return require_solver(options).load()
    except ValueError as error:
        raise InputError(f"reconstruct.{error}") from None


def noise_of(options: SamplingOptions, size: int) -> Tensor:
    """Where all slices start, (samples 3 N, 1, N, N): of each sample one image for every slice (the paper), or one
    volume that every plane sees through its own slices."""
    generator = torch.Generator().manual_seed(options.seed)
    if options.noise == "volume":
        return sliced(torch.randn(options.samples, size, size, size, generator=generator))
    images = torch.randn(options.samples, 1, size, size, generator=generator)
    return images[:, None].expand(-1, len(PLANES) * size, -1, -1, -1).flatten(0, 1)


def _reviser(options: SamplingOptions, correct: Correct | None) -> Revise | None:
    """What becomes of the clean estimates between two steps."""
    if options.planes == "alone":
        return None
    between = correct if options.consistency.when == "steps" else None

    def revise(clean: Tensor) -> Tensor:
        volumes = fused(clean, options.samples)
        if between:
            moved = [to_network(between(to_hu(volume))) for volume in volumes.cpu().float().numpy()]
            volumes = torch.from_numpy(np.stack(moved)).to(clean)
        return sliced(volumes)

    return revise


def _planes(volumes: Array, correct: Correct | None) -> Planes:
    """volumes: (sample, plane, z, y, x) HU."""
    mean = volumes.mean(axis=1)
    if correct:  # the delivered volume is one, and so are its three copies
        mean = np.stack([correct(volume) for volume in mean])
        volumes = np.broadcast_to(mean[:, None], volumes.shape)
    if len(volumes) == 1:
        return Planes(*volumes[0])
    axial, coronal, sagittal = volumes.mean(axis=0)
    return Planes(axial, coronal, sagittal, mean.std(axis=0, ddof=1))
