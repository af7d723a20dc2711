"""Typed settings of the methods beside DX2CT: their rows of `runs:` and their sections of `methods:`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config import (
    EncoderSettings,
    Fraction,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Seed,
    SlicesSettings,
    ViewName,
    VolumeSettings,
    XraySettings,
)
from dx2ct.config.base import STRICT

Views = Annotated[tuple[ViewName, ...], Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class BackprojectionRun:
    """A row of `runs:` for back-projection; `pixels` is the side that the X-rays are averaged down to."""

    method: Literal["backprojection"]
    views: Views
    filter: Literal["none", "ramp"]
    pixels: PositiveInt


@dataclass(frozen=True, config=STRICT)
class SartRun:
    """A row of `runs:` for SART from an empty volume or the mean training volume; relaxation is the share of each
    correction that is applied."""

    method: Literal["sart"]
    views: Views
    start: Literal["empty", "mean"]
    iterations: PositiveInt
    relaxation: Annotated[float, Field(gt=0, lt=2)]
    pixels: PositiveInt


@dataclass(frozen=True, config=STRICT)
class ClassicalSettings:
    """Stage train of the classical references, which fits two numbers."""

    run: Annotated[BackprojectionRun | SartRun, Field(discriminator="method")]
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings


@dataclass(frozen=True, config=STRICT)
class WatchSettings:
    """Validation PSNR while training: `every` steps (0: never), of the whole volumes of the first `scans` of a split.

    patience and keep as in settings.ValidationSettings.
    """

    every: Annotated[int, Field(ge=0)]
    split: Literal["val", "train"]
    scans: PositiveInt
    patience: Annotated[int, Field(ge=0)]
    keep: Literal["last", "best"]


@dataclass(frozen=True, config=STRICT)
class RivalTraining:
    """Training of a rival. `batch` is that of all processes together; schedule linear falls in the second half."""

    seed: Seed
    steps: PositiveInt
    batch: PositiveInt
    accumulate: PositiveInt
    slices_per_patient: PositiveInt
    precision: Literal["auto", "float32", "bf16"]
    learning_rate: PositiveFloat
    beta1: Annotated[float, Field(ge=0, lt=1)]
    beta2: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: NotNegative
    schedule: Literal["constant", "cosine", "linear"]
    warmup_steps: Annotated[int, Field(ge=0)]
    clip_norm: NotNegative
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    validation: WatchSettings

    @property
    def betas(self) -> tuple[float, float]:
        """Of Adam."""
        return self.beta1, self.beta2


@dataclass(frozen=True, config=STRICT)
class Cnn2dRun:
    """A row of `runs:` for the 2D CNN, which sees one view."""

    method: Literal["cnn2d"]
    views: Annotated[tuple[ViewName, ...], Field(min_length=1, max_length=1)]


@dataclass(frozen=True, config=STRICT)
class Cnn2dModel:
    """The 2D CNN's sizes.

    stem: channels of the first convolution; first: of the blocks at full resolution; blocks: how many lie behind each
    halving, at the last width.
    """

    stem: PositiveInt
    first: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    blocks: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class Cnn2dSettings:
    """Stage train of the 2D CNN."""

    run: Cnn2dRun
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
    model: Cnn2dModel
    train: RivalTraining


@dataclass(frozen=True, config=STRICT)
class X2ctganRun:
    """A row of `runs:` for X2CT-GAN; without the discriminator it is X2CT-CNN."""

    method: Literal["x2ctgan"]
    views: Views
    discriminator: bool


@dataclass(frozen=True, config=STRICT)
class X2ctganModel:
    """The generator, its discriminator and the weights of the losses.

    channels: of the first convolution; dense_layers: of each halving; decoder_channels and decoder_blocks from fine to
    coarse, one more than halvings, and fusion_blocks likewise.
    """

    channels: PositiveInt
    dense_layers: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    growth: PositiveInt
    bottleneck: PositiveInt
    dropout: Fraction
    decoder_channels: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    decoder_blocks: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2)]
    fusion_blocks: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2)]
    discriminator_channels: PositiveInt
    discriminator_layers: PositiveInt
    gan_weight: NotNegative
    voxel_weight: NotNegative
    projection_weight: NotNegative


@dataclass(frozen=True, config=STRICT)
class X2ctganSettings:
    """Stage train of X2CT-GAN."""

    run: X2ctganRun
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
    model: X2ctganModel
    train: RivalTraining


@dataclass(frozen=True, config=STRICT)
class Perx2ctRun:
    """A row of `runs:` for PerX2CT: its camera, and whether it is PerX2CT_global.

    zoom_share is the part of the examples that are random crops of a slice.
    """

    method: Literal["perx2ct"]
    views: Views
    camera: Literal["paper", "cone_beam"]
    global_features: bool
    zoom_share: Fraction


@dataclass(frozen=True, config=STRICT)
class Perx2ctModel:
    """Encoder (its third number of blocks is used by global_features only), decoder, and the weight of LPIPS."""

    encoder: EncoderSettings
    octaves: PositiveInt
    channels: PositiveInt
    multipliers: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    res_blocks: PositiveInt
    norm_groups: PositiveInt
    lpips_weight: NotNegative


@dataclass(frozen=True, config=STRICT)
class Perx2ctSettings:
    """Stage train of PerX2CT."""

    run: Perx2ctRun
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
    model: Perx2ctModel
    train: RivalTraining
