"""The configuration of `lift`. All of it is this project's own: sizes were chosen on validation phantoms."""

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
    STRICT,
)
from dx2ct.config.runs import LearnedSettings, require_halvings, XrayRow
from dx2ct.config.training import Beta, Optimizer, Schedule, TrainSettings, VolumeTrainSettings

LEVELS = 4  # of the grid: N, N/2, N/4 and N/8 voxels a side
OURS = "ours"
Sizes = Annotated[tuple[PositiveInt, ...], Field(min_length=LEVELS, max_length=LEVELS)]


@dataclass(frozen=True, config=STRICT)
class LiftRow(XrayRow):
    """A row of lift: the views that it is trained on. Any of them is enough for a reconstruction."""

    method: Literal["lift"]
    drop_views: Fraction = key(
        0.0, "Share of the examples that lack all views but one, so that each alone is enough", source=OURS
    )


@dataclass(frozen=True, config=STRICT)
class LiftModel:
    """Pyramid, lifting and 3D U-Net; lists run from the finest grid to the coarsest."""

    xray_scale: PositiveInt = key(2, "Side of the X-ray that it sees, over the grid's", source=OURS)
    pyramid: Sizes = key((64, 96, 128, 192), "Channels of the X-ray's maps", source=OURS)
    bins: Sizes = key((1, 8, 12, 6), "Depth bins along a ray", source=OURS)
    lifted: Sizes = key((12, 24, 32, 64), "Channels of each bin", source=OURS)
    widths: Sizes = key((32, 64, 128, 256), "Channels of the 3D U-Net", source=OURS)
    blocks: Sizes = key((1, 2, 2, 2), "Residual blocks of each level", source=OURS)
    transformer_blocks: Count = key(4, "Transformer blocks at the coarsest grid", source=OURS)
    heads: PositiveInt = key(8, "Attention heads", source=OURS)
    octaves: PositiveInt = key(6, "Frequencies of the position code", source=OURS)
    l1_weight: NotNegative = key(0.1, "Weight of the absolute beside the squared error", source=OURS)
    nodule_weight: NotNegative = key(
        0.0,
        "Further weight of the squared error where something small and dense stands in the lung",
        source=OURS,
        earlier=0.0,
    )
    checkpoint: bool = key(
        True,
        "The finest grid is computed again in the backward pass: less memory, more time",
        source=OURS,
    )

    def __post_init__(self) -> None:
        if any(width % 8 for width in (*self.pyramid, *self.widths)):
            raise BadKeyError("widths", "every entry of pyramid and widths must be a multiple of 8")
        if self.widths[-1] % self.heads:
            raise BadKeyError("heads", f"{self.heads} do not divide the coarsest of widths, {self.widths[-1]}")


@dataclass(frozen=True, config=STRICT)
class LiftTraining(VolumeTrainSettings):
    """Squared and absolute error on [0, 1]."""

    steps: Count = again(TrainSettings, "steps", 137_550, "ours: 150 epochs of 917 scans")
    optimizer: Optimizer = again(TrainSettings, "optimizer", "muon", OURS)
    learning_rate: PositiveFloat = again(TrainSettings, "learning_rate", 2e-3, OURS)
    weight_decay: NotNegative = again(TrainSettings, "weight_decay", 0.01, OURS)
    schedule: Schedule = again(TrainSettings, "schedule", "linear", OURS)
    warmup_steps: Count = again(TrainSettings, "warmup_steps", 200, OURS)
    clip_norm: NotNegative = again(TrainSettings, "clip_norm", 1.0, OURS)
    ema_decay: Beta = again(TrainSettings, "ema_decay", 0.999, OURS)


@dataclass(frozen=True, config=STRICT)
class LiftSettings(LearnedSettings):
    """Everything that decides the weights of a run of lift."""

    run: LiftRow
    model: LiftModel = key(LiftModel, "The network")
    train: LiftTraining = key(LiftTraining, "The training")

    @property
    def takes_geometry(self) -> bool:
        """It lifts features by each example's own matrices."""
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_halvings(self.slices.size, LEVELS - 1, "its grids", least=2)
