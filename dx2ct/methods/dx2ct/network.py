"""DX2CT: condition maps, of 3DPQT or of lifted features, modulate a 2-D denoising U-Net, one slice at a time."""

from typing import Any, cast

from torch import nn, Tensor

from dx2ct.methods.dx2ct.conditions import Conditions
from dx2ct.methods.dx2ct.lifted import LiftedConditions
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.dx2ct.unet import condition_levels, Modulation, UNet
from dx2ct.samplers.diffusion import linear_schedule, Schedule


class DX2CT(nn.Module):
    """The whole network. `conditions` and `modulation` do not depend on the time step: once per slice, then `unet`."""

    def __init__(self, settings: Dx2ctSettings) -> None:
        super().__init__()
        self.conditions: Conditions | LiftedConditions
        if settings.run.conditions == "lifted":
            self.conditions, widths = LiftedConditions(settings), settings.model.lift.conditions
        else:
            self.conditions = Conditions(settings)
            widths = (settings.model.transformer.width,) * len(self.conditions.sizes)
        self.levels = condition_levels(self.conditions.sizes, settings.slices.size)
        scales = dict(zip(self.levels, widths, strict=True))
        self.unet = UNet(settings.model.unet, scales, settings.run.conditioning)

    def encode_xrays(self, xrays: Tensor, matrices: Tensor | None = None) -> Any:
        """What all slices of a patient share, for `conditions.condition_maps`.

        matrices: (patient, view, 3, 4) of another geometry than the training's, for lifted conditions.
        """
        if isinstance(self.conditions, LiftedConditions):
            return self.conditions.encode_xrays(xrays, matrices)
        return self.conditions.encode_xrays(xrays)

    def modulation(self, maps: list[Tensor]) -> Modulation:
        """Of condition maps, fine to coarse: see Modulation."""
        return self.unet.modulation(dict(zip(self.levels, maps, strict=True)))

    def denoise(self, x: Tensor, t: Tensor, maps: list[Tensor]) -> Tensor:
        """Noisy slices (n, 1, N, N) at steps t (n,) with their condition maps to the network's prediction."""
        return cast(Tensor, self.unet(x, t, self.modulation(maps)))

    def forward(
        self, xrays: Tensor, coordinates: Tensor, x: Tensor, t: Tensor, matrices: Tensor | None = None
    ) -> Tensor:
        """One training pass: X-rays (patient, view, H, W), coordinates (patient, slice, N, N, 3), noisy slices
        (patient slice, 1, N, N), t (patient slice,); matrices: see `encode_xrays`."""
        return self.denoise(x, t, self.conditions.condition_maps(self.encode_xrays(xrays, matrices), coordinates))


def schedule_of(settings: Dx2ctSettings) -> Schedule:
    """The forward process of the settings."""
    forward = settings.diffusion
    return linear_schedule(forward.timesteps, forward.beta_start, forward.beta_end)
