"""The configuration of DX2CT: rows of `runs:` and the sections of `methods.dx2ct`.

Sources: paper is DX2CT (section IV-A unless another is named); digest is a third party's public notes on it,
CosmosXRay360, which agree with all numbers of the text; default is stated nowhere, our choice.
"""

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config import plain
from dx2ct.config.keys import (
    again,
    BadKeyError,
    Count,
    Fraction,
    key,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    STRICT,
    Whole,
)
from dx2ct.config.runs import LearnedSettings, require_halvings, XrayRow
from dx2ct.config.training import Beta, Split, TrainSettings, ValidationSettings
from dx2ct.methods.layers.encoder_settings import EncoderSettings

Open = Annotated[float, Field(gt=0, lt=1)]
Levels = Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
POSITIONAL_LEVELS = 5  # feature maps of 1/4, 1/8 and 1/16 of the X-ray meet the last three levels


@dataclass(frozen=True, config=STRICT)
class Dx2ctRow(XrayRow):
    """A row of DX2CT: the views that it sees and its ablations."""

    method: Literal["dx2ct"]
    conditioning: Literal["spade", "concat"] = key(
        "spade", "How condition maps enter the U-Net", source="paper, Table II"
    )
    conditions: Literal["positional", "lifted"] = key(
        "positional",
        "positional: by 3DPQT from position codes; lifted: X-ray features lifted into the patient (ours)",
        source="paper",
        earlier="positional",
    )
    query_transformer: bool = key(True, "false: without 3DPQT", source="paper, Table II")
    prediction: Literal["epsilon", "v", "x0"] = key("epsilon", "What the network predicts", source="paper, equation 6")


@dataclass(frozen=True, config=STRICT)
class PositionSettings:
    """The two position-encoding networks, of CT slices and of X-rays."""

    xray: Literal["plane", "cone_beam"] = key(
        "plane", "plane: a pixel has the position of one point; cone_beam: of its whole ray", source="paper, III-B"
    )
    octaves: PositiveInt = key(10, "Frequencies of the sinusoids", source="default: as NeRF and PerX2CT")
    hidden: PositiveInt = key(256, "Width of the MLP", source="default: the transformer's width")
    layers: PositiveInt = key(2, "Layers of the MLP", source="default: the smallest with a hidden layer")


@dataclass(frozen=True, config=STRICT)
class TransformerSettings:
    """The 3DPQT of each scale."""

    start: Literal["match", "independent"] = key(
        "independent",
        "match: attention starts by comparing positions (ours); independent: at random",
        source="default: the layers' usual start",
    )
    width: PositiveInt = key(
        256, "Channels", source="default: one at all scales; the encoder's own 256, 512, 1024 need 200 M weights"
    )
    heads: PositiveInt = key(8, "Attention heads", source="default: 32 channels a head")
    blocks: PositiveInt = key(12, "Cross-attention blocks", source="digest")
    mlp_ratio: PositiveFloat = key(4.0, "Width of the blocks' MLP over the channels", source="default: as in ViT")

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise BadKeyError("width", f"{self.width} is no multiple of heads, {self.heads}")


@dataclass(frozen=True, config=STRICT)
class LiftSettings:
    """Of `conditions: lifted`, a number a level of the U-Net, fine to coarse."""

    widths: Levels = key((64, 64, 96, 128, 192), "Channels of the X-ray's maps", source="ours")
    bins: Levels = key((2, 4, 8, 12, 6), "Depth bins along a ray", source="ours")
    channels: Levels = key((8, 8, 12, 24, 32), "Channels of each bin", source="ours")
    conditions: Levels = key((32, 32, 64, 96, 128), "Channels of the condition maps", source="ours")

    def __post_init__(self) -> None:
        for name in ("bins", "channels", "conditions"):
            if len(getattr(self, name)) != len(self.widths):
                raise BadKeyError(name, f"needs {len(self.widths)} entries, as widths")
        if any(width % 8 for width in self.widths):
            raise BadKeyError("widths", "every entry must be a multiple of 8")


@dataclass(frozen=True, config=STRICT)
class UNetSettings:
    """The denoising U-Net."""

    channels: PositiveInt = key(64, "Channels of the first level", source="digest")
    multipliers: Levels = key(
        (1, 1, 2, 3, 4), "Of the channels, one a level; the last three levels get the condition maps", source="digest"
    )
    res_blocks: PositiveInt = key(2, "Residual blocks of each level", source="default: as in SDM (Wang et al. 2022)")
    attention_levels: tuple[Count, ...] = key(
        (3, 4), "Levels with self-attention; 0 is the full resolution", source="default: where it is cheap"
    )
    head_channels: PositiveInt = key(64, "Channels of an attention head", source="default: as in SDM")
    norm_groups: PositiveInt = key(32, "Groups of the group norms", source="default: as in SDM")
    spade_hidden: Count = key(
        128, "Channels inside SPADE; 0: one convolution without a hidden layer", source="default: as in SDM and SPADE"
    )
    spade_kernel: Annotated[Literal[1, 3], Whole] = key(
        3, "Side of SPADE's convolutions", source="default: as in SDM and SPADE", earlier=3
    )
    dropout: Fraction = key(0.0, "Dropout of the residual blocks", source="default: none is mentioned")

    def __post_init__(self) -> None:
        if any(self.channels * m % self.norm_groups for m in self.multipliers):
            raise BadKeyError("channels", f"{self.channels} is no multiple of norm_groups, {self.norm_groups}")
        levels = len(self.multipliers)
        if unknown := [level for level in self.attention_levels if level >= levels]:
            raise BadKeyError("attention_levels", f"{unknown[0]} is no level of a U-Net with levels 0 to {levels - 1}")


# What a run has whose conditions are positional, also of those that were trained before there was a choice: it means
# nothing to them. It stays as it is when the defaults change, or all of them would be trained again.
UNUSED_LIFT = LiftSettings(
    widths=(64, 64, 96, 128, 192),
    bins=(2, 4, 8, 12, 6),
    channels=(8, 8, 12, 24, 32),
    conditions=(32, 32, 64, 96, 128),
)


@dataclass(frozen=True, config=STRICT)
class ModelSettings:
    """Every part of the network."""

    encoder: EncoderSettings = key(EncoderSettings, "One ResNet for all X-rays", source="paper: ResNet-50")
    positions: PositionSettings = key(PositionSettings, "Position codes")
    transformer: TransformerSettings = key(TransformerSettings, "3DPQT")
    unet: UNetSettings = key(UNetSettings, "U-Net")
    lift: LiftSettings = key(LiftSettings, "Of rows with `conditions: lifted`", earlier=plain(UNUSED_LIFT))


@dataclass(frozen=True, config=STRICT)
class DiffusionSettings:
    """The forward process, with betas in equal steps."""

    timesteps: PositiveInt = key(1000, "Steps", source="digest")
    beta_start: Open = key(1e-4, "First beta", source="digest; linear: paper")
    beta_end: Open = key(2e-2, "Last beta", source="digest")


@dataclass(frozen=True, config=STRICT)
class Dx2ctValidation(ValidationSettings):
    """PSNR of a fixed choice of slices while training."""

    every: Count = again(ValidationSettings, "every", 20_000, "default: about once an epoch of 21,984 steps")
    split: Split = again(
        ValidationSettings, "split", "train", "default: no validation scans are published; this shows the fit"
    )
    slices: PositiveInt = key(96, "So many slices", source="default: a few seconds on a GPU")
    steps: PositiveInt = key(10, "Steps of DDIM", source="default: a fifth of what reconstruct takes")


@dataclass(frozen=True, config=STRICT)
class Dx2ctTraining(TrainSettings):
    """DX2CT's training: mean squared error of the prediction."""

    steps: Count = again(
        TrainSettings, "steps", 1_758_720, "digest: 80 epochs of 916 scans x 384 slices, batches of 16"
    )
    batch: PositiveInt = again(TrainSettings, "batch", 16, "digest")
    learning_rate: PositiveFloat = again(TrainSettings, "learning_rate", 5e-5, "digest")
    ema_decay: Beta = again(
        TrainSettings, "ema_decay", 0.9999, "default: SDM and guided diffusion; the paper is silent"
    )
    last_step_share: Fraction = key(
        0.0, "Share of the examples at the last time step, pure noise", source="paper: none", earlier=0.0
    )
    beta1: Beta = key(0.9, "Of Adam", source="default: Adam's own", earlier=0.9)
    weight_decay: NotNegative = key(0.0, "Of Adam", source="default: none is mentioned", earlier=0.0)
    validation: Dx2ctValidation = key(Dx2ctValidation, "PSNR while training", source="the paper mentions none")


@dataclass(frozen=True, config=STRICT)
class Dx2ctSettings(LearnedSettings):
    """Everything that decides the weights of a run of DX2CT."""

    run: Dx2ctRow
    model: ModelSettings = key(ModelSettings, "The network")
    diffusion: DiffusionSettings = key(DiffusionSettings, "The forward process")
    train: Dx2ctTraining = key(Dx2ctTraining, "The training")

    def relevant(self) -> Self:
        """Of positional conditions without the section of lifted ones, and the other way round."""
        found = super().relevant()
        model = found.model
        if self.run.conditions == "positional":
            return replace(found, model=replace(model, lift=UNUSED_LIFT))
        return replace(found, model=replace(model, encoder=EncoderSettings()))

    @property
    def takes_geometry(self) -> bool:
        """Lifted conditions do; 3DPQT has position codes of one geometry."""
        return self.run.conditions == "lifted"

    def __post_init__(self) -> None:
        super().__post_init__()
        levels, lifted = len(self.model.unet.multipliers), self.run.conditions == "lifted"
        if lifted and levels != len(self.model.lift.widths):
            raise BadKeyError("model.lift.widths", f"needs {levels} entries, one a level of the U-Net")
        if not lifted and levels < POSITIONAL_LEVELS:
            raise BadKeyError(
                "model.unet.multipliers", f"{levels} levels: positional conditions (1/4, 1/8, 1/16) need 5 at least"
            )
        least = 2 if lifted else 1  # the norm of a single pixel cannot be trained
        require_halvings(self.slices.size, levels - 1, f"a U-Net of {levels} levels", least)
