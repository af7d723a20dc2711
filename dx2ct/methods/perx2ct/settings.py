"""The configuration of PerX2CT. Sources: PerX2CT is its paper (ICASSP 2023) and the published configuration."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.keys import (
    again,
    BadKeyError,
    Count,
    Fraction,
    key,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Seed,
    STRICT,
)
from dx2ct.config.runs import LearnedSettings, require_halvings, XrayRow
from dx2ct.config.training import Beta, Beta2, ScanValidation, Split, TrainSettings, ValidationSettings
from dx2ct.methods.layers.encoder_settings import EncoderSettings

AS_DX2CT = "default: PerX2CT keeps the best by scans of its own that no published split names"


@dataclass(frozen=True, config=STRICT)
class Perx2ctRow(XrayRow):
    """A row of PerX2CT: its camera, and whether it is PerX2CT_global."""

    method: Literal["perx2ct"]
    camera: Literal["paper", "cone_beam"] = key(
        "paper",
        "paper: the published pinhole, 60 degrees wide; cone_beam: the geometry that rendered the X-rays",
        source="PerX2CT",
    )
    align: Literal["corners", "centres", "edges"] = key(
        "corners",
        "Where the cells of the feature map lie: the outermost at the image's outermost pixels; centres: at the pixels "
        "that they are centred on; edges: half a cell inside the image",
        source="PerX2CT: align_corners, as its ancestor pixelNeRF",
        earlier="edges",
    )
    global_features: bool = key(False, "true: PerX2CT_global", source="PerX2CT")
    zoom_share: Fraction = key(0.0, "Share of the examples that are random crops of a slice", source="PerX2CT")


@dataclass(frozen=True, config=STRICT)
class Perx2ctEncoder(EncoderSettings):
    """ResNet-101 to layer2; its third number of blocks is used by global_features only."""

    blocks: tuple[PositiveInt, PositiveInt, PositiveInt] = again(
        EncoderSettings, "blocks", (3, 4, 23), "PerX2CT: ResNet-101"
    )


@dataclass(frozen=True, config=STRICT)
class Perx2ctModel:
    """Encoder, position code and decoder."""

    encoder: Perx2ctEncoder = key(Perx2ctEncoder, "A ResNet", source="PerX2CT: ResNet-101, ImageNet")
    octaves: PositiveInt = key(10, "Frequencies of the position code", source="PerX2CT: 63 channels of position")
    channels: PositiveInt = key(128, "Channels of the decoder", source="PerX2CT")
    multipliers: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = key(
        (1, 2, 4), "Of the channels, fine to coarse", source="PerX2CT"
    )
    res_blocks: PositiveInt = key(2, "Residual blocks of each level", source="PerX2CT")
    norm_groups: PositiveInt = key(32, "Groups of the group norms", source="VQGAN, whose decoder it is")
    lpips_weight: NotNegative = key(
        1.0, "Weight of the LPIPS loss, which needs VGG-16's ImageNet weights", source="PerX2CT"
    )

    def __post_init__(self) -> None:
        if any(self.channels * m % self.norm_groups for m in self.multipliers):
            raise BadKeyError("norm_groups", f"channels {self.channels} is no multiple of {self.norm_groups}")


@dataclass(frozen=True, config=STRICT)
class Perx2ctValidation(ScanValidation):
    """PSNR of whole volumes."""

    every: Count = again(ValidationSettings, "every", 20_000, AS_DX2CT)
    split: Split = again(ValidationSettings, "split", "train", AS_DX2CT)


@dataclass(frozen=True, config=STRICT)
class Perx2ctTraining(TrainSettings):
    """L1 and, weighted, LPIPS."""

    seed: Seed = again(TrainSettings, "seed", 23, "PerX2CT")
    steps: Count = again(TrainSettings, "steps", 1_406_976, "default: as many slices as DX2CT sees")
    batch: PositiveInt = again(TrainSettings, "batch", 20, "PerX2CT")
    learning_rate: PositiveFloat = again(TrainSettings, "learning_rate", 9e-5, "PerX2CT: 4.5e-6 a slice")
    beta1: Beta = again(TrainSettings, "beta1", 0.5, "PerX2CT")
    beta2: Beta2 = again(TrainSettings, "beta2", 0.9, "PerX2CT")
    validation: Perx2ctValidation = key(Perx2ctValidation, "PSNR while training")


@dataclass(frozen=True, config=STRICT)
class Perx2ctSettings(LearnedSettings):
    """Everything that decides the weights of a run of PerX2CT."""

    run: Perx2ctRow
    model: Perx2ctModel = key(Perx2ctModel, "The network")
    train: Perx2ctTraining = key(Perx2ctTraining, "The training")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_halvings(self.slices.size, len(self.model.multipliers) - 1, "model.multipliers")
