"""lift as a method: its examples, its loss, and a trained one, which takes any of its views in any geometry."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn, Tensor
from torch.nn.functional import l1_loss, mse_loss

from dx2ct.config import SamplingOptions
from dx2ct.data.scans import mean_hu, stretched
from dx2ct.data.window import to_hu, to_network
from dx2ct.geometry import projection_matrices, Views
from dx2ct.methods.contract import (
    checked_xrays,
    Planes,
    require_exposures,
    require_grid,
    spec_of,
    Trained,
    training_views,
    Xrays,
)
from dx2ct.methods.layers.example import Example, one_volume, Volumes
from dx2ct.methods.layers.volumes import VolumeData, volumes_of
from dx2ct.methods.learned import load_weights
from dx2ct.methods.lift.network import Lift
from dx2ct.methods.lift.settings import LiftSettings
from dx2ct.methods.lift.small import small_in_lung
from dx2ct.methods.single_pass import SinglePass
from dx2ct.training.engine import autocast_of
from dx2ct.training.runtime import Runtime

DROP = 1  # what the generator of dropped views is told beside seed and step


@dataclass(frozen=True)
class Geometry:
    """The matrices of the training's geometry, (view, 3, 4)."""

    matrices: Tensor

    @classmethod
    def of(cls, settings: LiftSettings) -> "Geometry":
        """Of the settings' exposures."""
        return cls(torch.from_numpy(projection_matrices(training_views(settings), settings.run.views)))

    def inputs(self, xrays: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs of the network for X-rays (n, view, H, W) that are all there and were all taken so."""
        mask = torch.ones(xrays.shape[:2], device=xrays.device)
        return xrays, mask, self.matrices.to(xrays.device).expand(len(xrays), -1, -1, -1)


class LiftData(VolumeData):
    """Whole scans with their geometry; of some examples all views but one are dropped."""

    def __init__(
        self, settings: LiftSettings, pixels: int, scans: Sequence[str], data: Path, device: torch.device
    ) -> None:
        super().__init__(settings, pixels, scans, data, device)
        self.drop, self.views = settings.run.drop_views, len(settings.run.views)

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Example:
        """As VolumeData's, with mask and matrices."""
        chosen, count = self.chosen(step, part, parts), self.train.batch
        xrays, matrices = (
            torch.stack([getattr(patient, name) for patient in chosen]) for name in ("xrays", "matrices")
        )
        mask = torch.from_numpy(self._mask(step))[count * part // parts : count * (part + 1) // parts]
        return Example((xrays, mask, matrices), volumes_of(chosen))

    def _mask(self, step: int) -> np.ndarray:
        """(example, view): 1 where an example keeps a view; every example keeps one at least."""
        count, views = self.train.batch, self.views
        chooser = np.random.default_rng((self.train.seed, step, DROP))
        alone = np.eye(views, dtype=np.float32)[chooser.integers(views, size=count)]
        dropped = chooser.random(count) < self.drop
        return np.where(dropped[:, None], alone, np.float32(1))


class LiftMethod(SinglePass[LiftSettings, Lift]):
    """Squared error and a little absolute error on [0, 1]."""

    def network(self, settings: LiftSettings) -> Lift:
        """The network."""
        return Lift(settings)

    def start(self, settings: LiftSettings, network: Lift, scans: Sequence[str], data: Path) -> None:
        """Put the mean training volume in."""
        mean = to_network(mean_hu(data, scans, settings.slices.size)) / 2 + 0.5
        network.mean.copy_(torch.from_numpy(mean)[None, None])

    def xray_pixels(self, settings: LiftSettings) -> int:
        """As the model says."""
        return settings.model.xray_scale * settings.slices.size

    def examples(self, settings: LiftSettings, scans: Sequence[str], data: Path, device: torch.device) -> LiftData:
        """Whole scans."""
        return LiftData(settings, self.xray_pixels(settings), scans, data, device)

    def slices_of_example(self, settings: LiftSettings) -> int:
        """A volume of N cubed has the voxels of N slices."""
        return settings.slices.size

    def loss(self, settings: LiftSettings, output: Tensor, example: Example, discriminator: nn.Module | None) -> Tensor:
        """Weighted as the settings say."""
        volume, target, model = output.float(), example.target, settings.model
        loss = mse_loss(volume, target) + model.l1_weight * l1_loss(volume, target)
        if not model.nodule_weight:
            return loss
        small = small_in_lung(target, settings.volume.side_mm / settings.slices.size)
        return loss + model.nodule_weight * (small * (volume - target) ** 2).mean()

    def passes(self, settings: LiftSettings) -> tuple[int, tuple[Tensor, ...]]:
        """One."""
        times, (xrays,) = super().passes(settings)
        views = len(settings.run.views)
        return times, (xrays, torch.empty(1, views), torch.empty(1, views, 3, 4))

    def volumes(self, settings: LiftSettings, network: Lift, xrays: Tensor, at_once: int) -> Volumes:
        """One volume, in the training's geometry."""
        volume: Tensor = network(*Geometry.of(settings).inputs(xrays))
        return one_volume(volume[0, 0])

    def load(self, settings: LiftSettings, run: Path, runtime: Runtime) -> "TrainedLift":
        """The network with the run's weights."""
        network = Lift(settings)
        load_weights(network, run)
        return TrainedLift(settings, network.to(runtime.device).eval(), runtime)


class TrainedLift(Trained):
    """A network in memory."""

    def __init__(self, settings: LiftSettings, network: Lift, runtime: Runtime) -> None:
        self.settings, self.network, self.runtime = settings, network, runtime
        self.inputs = spec_of(settings, IMPLEMENTATION.xray_pixels(settings))

    @torch.inference_mode()
    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """One forward pass, from one view or several, each where the geometry says that it was taken."""
        names, pixels, device = self.inputs.names, self.inputs.pixels, self.runtime.device
        images = dict(zip([n for n in names if n in xrays], checked_xrays(xrays, self.inputs), strict=True))
        require_grid(geometry, self.inputs)
        require_exposures(geometry, images)
        placed = Views(geometry.grid, dict(self.inputs.views.exposures) | dict(geometry.exposures))
        empty = np.zeros((pixels, pixels), np.float32)
        seen = np.stack([stretched(images[name], pixels) if name in images else empty for name in names])[None]
        mask = torch.tensor([[float(name in images) for name in names]])
        matrices = torch.from_numpy(projection_matrices(placed, names))[None]
        inputs = [tensor.to(device) for tensor in (torch.from_numpy(seen), mask, matrices)]
        with autocast_of(self.settings.train.precision, device)():
            volume = self.network(*inputs)[0, 0].float().cpu().numpy()
        return Planes.of_one(to_hu(2 * volume - 1))


IMPLEMENTATION = LiftMethod()
