"""X2CT-GAN and X2CT-CNN as a method: their examples and their losses."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn, Tensor
from torch.nn.functional import l1_loss, mse_loss

from dx2ct.methods.layers.example import Example, one_volume, Volumes
from dx2ct.methods.layers.volumes import IntoPatient, VolumeData
from dx2ct.methods.single_pass import SinglePass
from dx2ct.methods.x2ctgan.network import Discriminator, Generator
from dx2ct.methods.x2ctgan.settings import X2ctganSettings


class X2ctgan(SinglePass[X2ctganSettings, Generator]):
    """LSGAN (Mao et al. 2017), mean squared error, and L1 of the mean projections along the three axes."""

    def network(self, settings: X2ctganSettings) -> Generator:
        """The generator."""
        return Generator(settings.model, _into_patient(settings), settings.slices.size)

    def discriminator(self, settings: X2ctganSettings) -> Discriminator | None:
        """The discriminator, unless this is X2CT-CNN."""
        return Discriminator(settings.model, _into_patient(settings)) if settings.run.discriminator else None

    def examples(self, settings: X2ctganSettings, scans: Sequence[str], data: Path, device: torch.device) -> VolumeData:
        """Whole scans."""
        return VolumeData(settings, settings.slices.size, scans, data, device)

    def slices_of_example(self, settings: X2ctganSettings) -> int:
        """A volume of N cubed has the voxels of N slices."""
        return settings.slices.size

    def loss(
        self, settings: X2ctganSettings, output: Tensor, example: Example, discriminator: nn.Module | None
    ) -> Tensor:
        """Weighted as in the paper; without a discriminator the last two."""
        model, target, volume = settings.model, example.target, output.float()
        projections = [l1_loss(volume.mean(dim=axis), target.mean(dim=axis)) for axis in (2, 3, 4)]
        total = model.voxel_weight * mse_loss(volume, target) + model.projection_weight * sum(projections) / 3
        if discriminator is not None:
            judged = discriminator(output, example.inputs[0]).float()
            total = total + model.gan_weight * mse_loss(judged, torch.ones_like(judged))
        return total

    def discriminator_loss(self, discriminator: nn.Module, output: Tensor, example: Example) -> Tensor:
        """Real patches to 1, made ones to 0."""
        real, made = (discriminator(volume, example.inputs[0]).float() for volume in (example.target, output))
        return (mse_loss(real, torch.ones_like(real)) + mse_loss(made, torch.zeros_like(made))) / 2

    def volumes(self, settings: X2ctganSettings, network: Generator, xrays: Tensor, at_once: int) -> Volumes:
        """One volume."""
        return one_volume(network(xrays)[0, 0])


def _into_patient(settings: X2ctganSettings) -> list[IntoPatient]:
    return [IntoPatient(name, view) for name, view in settings.xray.exposures(settings.run.views).items()]


IMPLEMENTATION = X2ctgan()
