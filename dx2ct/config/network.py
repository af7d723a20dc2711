"""Sizes of DX2CT and its forward process."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.base import Fraction, PositiveFloat, PositiveInt, STRICT


@dataclass(frozen=True, config=STRICT)
class EncoderSettings:
    """The ResNet whose conv2_x, conv3_x and conv4_x are the feature scales; `pretrained` may be a file of weights."""

    blocks: tuple[PositiveInt, PositiveInt, PositiveInt]
    width_per_group: PositiveInt
    norm: Literal["batch", "group"]
    pretrained: bool | Annotated[str, Field(pattern=r"\.pth?$")]


@dataclass(frozen=True, config=STRICT)
class PositionSettings:
    """The two position-encoding networks."""

    xray: Literal["plane", "cone_beam"]
    octaves: PositiveInt
    hidden: PositiveInt
    layers: PositiveInt


@dataclass(frozen=True, config=STRICT)
class TransformerSettings:
    """The 3DPQT of every scale, and how its attention starts (see models/query_transformer.py)."""

    start: Literal["match", "independent"]
    width: PositiveInt
    heads: PositiveInt
    blocks: PositiveInt
    mlp_ratio: PositiveFloat


@dataclass(frozen=True, config=STRICT)
class UNetSettings:
    """The denoising 2-D U-Net."""

    channels: PositiveInt
    multipliers: tuple[PositiveInt, ...]
    res_blocks: PositiveInt
    attention_levels: tuple[int, ...]
    head_channels: PositiveInt
    norm_groups: PositiveInt
    spade_hidden: PositiveInt
    dropout: Fraction


@dataclass(frozen=True, config=STRICT)
class ModelSettings:
    """The whole network; `xray_pixels` is the side of the X-ray that the encoder sees."""

    xray_pixels: PositiveInt
    encoder: EncoderSettings
    positions: PositionSettings
    transformer: TransformerSettings
    unet: UNetSettings


@dataclass(frozen=True, config=STRICT)
class DiffusionSettings:
    """The forward process."""

    timesteps: PositiveInt
    beta_start: Annotated[float, Field(gt=0, lt=1)]
    beta_end: Annotated[float, Field(gt=0, lt=1)]
