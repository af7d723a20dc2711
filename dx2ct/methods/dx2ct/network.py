"""DX2CT: the condition maps of 3DPQT modulate a 2-D denoising U-Net, one slice at a time."""

from typing import cast

from torch import nn, Tensor

from dx2ct.methods.dx2ct.conditions import Conditions
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.dx2ct.unet import condition_levels, Modulation, UNet
from dx2ct.samplers.diffusion import linear_schedule, Schedule


class DX2CT(nn.Module):
    """The whole network. `conditions` and `modulation` do not depend on the time step: once per slice, then `unet`."""

    def __init__(self, settings: Dx2ctSettings) -> None:
        super().__init__()
        self.conditions = Conditions(settings)
        self.levels = condition_levels(self.conditions.sizes, settings.slices.size)
        width = settings.model.transformer.width
        self.unet = UNet(settings.model.unet, dict.fromkeys(self.levels, width), settings.run.conditioning)

    def modulation(self, maps: list[Tensor]) -> Modulation:
        """Of condition maps, fine to coarse: see Modulation."""
        return self.unet.modulation(dict(zip(self.levels, maps, strict=True)))

    def denoise(self, x: Tensor, t: Tensor, maps: list[Tensor]) -> Tensor:
        """Noisy slices (n, 1, N, N) at steps t (n,) with their condition maps to the network's prediction."""
        return cast(Tensor, self.unet(x, t, self.modulation(maps)))

    def forward(self, xrays: Tensor, coordinates: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """One training pass: X-rays (patient, view, H, W), coordinates (patient, slice, N, N, 3), noisy slices
        (patient slice, 1, N, N), t (patient slice,)."""
        return self.denoise(x, t, self.conditions(xrays, coordinates))


def schedule_of(settings: Dx2ctSettings) -> Schedule:
    """The forward process of the settings."""
    forward = settings.diffusion
    return linear_schedule(forward.timesteps, forward.beta_start, forward.beta_end)
