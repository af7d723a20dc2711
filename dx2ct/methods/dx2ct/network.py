"""DX2CT: the condition maps of 3DPQT steering a 2-D denoising U-Net, one slice at a time."""

from typing import cast

from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.config import Dx2ctSettings
from dx2ct.methods.dx2ct.conditions import Conditions
from dx2ct.methods.dx2ct.unet import condition_levels, Steering, UNet


class DX2CT(nn.Module):
    """The whole network. `conditions` and `steering` do not depend on the time step: once per slice, then `unet`."""

    def __init__(self, settings: Dx2ctSettings) -> None:
        super().__init__()
        _check(settings)
        run, model = settings.run, settings.model
        cube_mm = settings.volume.size * settings.volume.spacing_mm
        self.conditions = Conditions(model, run.views, settings.xray.cone_beam, cube_mm, run.query_transformer)
        self.levels = condition_levels(self.conditions.sizes, settings.slices.size)
        self.unet = UNet(model.unet, dict.fromkeys(self.levels, model.transformer.width), run.conditioning)

    def steering(self, maps: list[Tensor]) -> Steering:
        """What condition maps, fine to coarse, say to the U-Net."""
        return self.unet.steering(dict(zip(self.levels, maps, strict=True)))

    def denoise(self, x: Tensor, t: Tensor, maps: list[Tensor]) -> Tensor:
        """Noisy slices (n, 1, N, N) at steps t (n,) with their condition maps to the network's prediction."""
        return cast(Tensor, self.unet(x, t, self.steering(maps)))

    def forward(self, xrays: Tensor, coordinates: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """One training pass: X-rays (patient, view, H, W), coordinates (patient, slice, N, N, 3), noisy slices
        (patient slice, 1, N, N), t (patient slice,)."""
        return self.denoise(x, t, self.conditions(xrays, coordinates))


def _check(settings: Dx2ctSettings) -> None:
    """Refuse sizes whose condition maps do not meet a U-Net level, with a message for the person who set them."""
    unet, transformer = settings.model.unet, settings.model.transformer
    levels = len(unet.multipliers)
    if transformer.width % transformer.heads:
        raise InputError(
            f"model.transformer.width {transformer.width} is no multiple of its heads, {transformer.heads}"
        )
    if any(unet.channels * m % unet.norm_groups for m in unet.multipliers):
        raise InputError(f"model.unet.channels {unet.channels} is no multiple of norm_groups, {unet.norm_groups}")
    if settings.slices.size % 2 ** (levels - 1):
        raise InputError(
            f"slices.size {settings.slices.size} cannot be halved {levels - 1} times for a U-Net of {levels} levels: "
            f"make it a multiple of {2 ** (levels - 1)}"
        )
    if settings.model.xray_pixels != settings.slices.size:
        raise InputError(
            f"model.xray_pixels {settings.model.xray_pixels} must equal slices.size {settings.slices.size}, "
            "so that X-ray features and slice levels have the same resolutions"
        )
    if levels < 5:
        raise InputError(
            f"model.unet.multipliers has {levels} levels; the three condition maps (1/4, 1/8, 1/16) need at least 5"
        )
    if unknown := [level for level in unet.attention_levels if not 0 <= level < levels]:
        raise InputError(
            f"model.unet.attention_levels names level {unknown[0]} of a U-Net with levels 0 to {levels - 1}"
        )
    if len(set(settings.run.views)) < len(settings.run.views):
        raise InputError(f"run.views names a view twice: {', '.join(settings.run.views)}")
