"""The configuration of 2DCNN. Sources: X2CT is what X2CT-GAN's paper (CVPR 2019) says of the 2DCNN that it rebuilt."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.keys import again, Count, key, NotNegative, PositiveFloat, PositiveInt, STRICT, ViewName
from dx2ct.config.runs import LearnedSettings, require_halvings, XrayRow
from dx2ct.config.training import (
    Beta,
    Beta2,
    ScanValidation,
    Schedule,
    Split,
    TrainSettings,
    ValidationSettings,
    VolumeTrainSettings,
)

AS_DX2CT = "default: as DX2CT's, it shows the fit"
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class VolumeValidation(ScanValidation):
    """PSNR of whole volumes, as often as an epoch of 916 scans in batches of 4 has steps, times ten."""

    every: Count = again(ValidationSettings, "every", 2290, AS_DX2CT)
    split: Split = again(ValidationSettings, "split", "train", AS_DX2CT)


@dataclass(frozen=True, config=STRICT)
class VolumeTraining(VolumeTrainSettings):
    """Training on whole volumes, as X2CT-GAN's authors train."""

    steps: Count = again(TrainSettings, "steps", 22_900, "X2CT: 100 epochs of 916 volumes, batches of 4")
    batch: PositiveInt = again(TrainSettings, "batch", 4, "X2CT")
    learning_rate: PositiveFloat = again(TrainSettings, "learning_rate", 2e-4, "X2CT")
    beta1: Beta = again(TrainSettings, "beta1", 0.5, "X2CT")
    beta2: Beta2 = again(TrainSettings, "beta2", 0.99, "X2CT")
    schedule: Schedule = again(TrainSettings, "schedule", "linear", "X2CT: 50 epochs constant, 50 down to 0")
    validation: VolumeValidation = key(VolumeValidation, "PSNR while training")


@dataclass(frozen=True, config=STRICT)
class Cnn2dRow(XrayRow):
    """A row of 2DCNN, which sees one view."""

    method: Literal["cnn2d"]
    views: Annotated[tuple[ViewName, ...], Field(min_length=1, max_length=1)] = again(XrayRow, "views", ("pa",))


@dataclass(frozen=True, config=STRICT)
class Cnn2dModel:
    """The network's sizes."""

    stem: PositiveInt = key(64, "Channels of the first convolution", source="X2CT")
    first: Widths = key((128, 128, 128, 256), "Channels of the blocks at full resolution", source="X2CT")
    blocks: Widths = key((3, 3, 3, 5), "Blocks behind each halving, at the last width", source="X2CT")


@dataclass(frozen=True, config=STRICT)
class Cnn2dTraining(VolumeTraining):
    """Mean squared error."""

    weight_decay: NotNegative = again(TrainSettings, "weight_decay", 1e-4, "X2CT")


@dataclass(frozen=True, config=STRICT)
class Cnn2dSettings(LearnedSettings):
    """Everything that decides the weights of a run of 2DCNN."""

    run: Cnn2dRow
    model: Cnn2dModel = key(Cnn2dModel, "The network")
    train: Cnn2dTraining = key(Cnn2dTraining, "The training")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_halvings(self.slices.size, len(self.model.blocks), "once for each of model.blocks")
