"""Rows of `runs:` for DX2CT and the mean volume, and how they are trained."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.base import PositiveFloat, PositiveInt, Seed, STRICT, ViewName
from dx2ct.config.data import SlicesSettings, VolumeSettings, XraySettings
from dx2ct.config.network import DiffusionSettings, ModelSettings


@dataclass(frozen=True, config=STRICT)
class Dx2ctRun:
    """A row of `runs:` for DX2CT: the views it sees and its ablations (the paper's Table II)."""

    method: Literal["dx2ct"]
    views: Annotated[tuple[ViewName, ...], Field(min_length=1)]
    conditioning: Literal["spade", "concat"]
    query_transformer: bool
    prediction: Literal["epsilon", "v", "x0"]


@dataclass(frozen=True, config=STRICT)
class MeanRun:
    """A row of `runs:` for the mean training volume, the floor of every comparison."""

    method: Literal["mean"]


@dataclass(frozen=True, config=STRICT)
class ValidationSettings:
    """Validation PSNR while training: `every` steps (0: never), on `slices` fixed slices of a split by DDIM in `steps`.

    patience: end after so many validations without a better one (0: never); keep: which weights the run ends with.
    """

    every: Annotated[int, Field(ge=0)]
    split: Literal["val", "train"]
    slices: PositiveInt
    steps: PositiveInt
    patience: Annotated[int, Field(ge=0)]
    keep: Literal["last", "best"]


@dataclass(frozen=True, config=STRICT)
class OptimizerSettings:
    """Training: optimizer, length, batches. `batch` is that of all processes together."""

    seed: Seed
    steps: PositiveInt
    batch: PositiveInt
    accumulate: PositiveInt
    slices_per_patient: PositiveInt
    precision: Literal["auto", "float32", "bf16"]
    learning_rate: PositiveFloat
    beta2: Annotated[float, Field(gt=0, lt=1)]
    schedule: Literal["constant", "cosine"]
    warmup_steps: int
    clip_norm: Annotated[float, Field(ge=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    validation: ValidationSettings

    @property
    def betas(self) -> tuple[float, float]:
        """Of Adam."""
        return 0.9, self.beta2

    @property
    def weight_decay(self) -> float:
        """Of Adam: none."""
        return 0.0


@dataclass(frozen=True, config=STRICT)
class EngineSettings:
    """How a training runs on a machine: nothing here decides what is learnt, so no rule tracks it."""

    compile: bool | Literal["cuda_graphs"]
    memory_format: Literal["auto", "contiguous", "channels_last"]
    tensorboard: bool


PLAIN_ENGINE = EngineSettings(compile=False, memory_format="auto", tensorboard=False)


@dataclass(frozen=True, config=STRICT)
class Dx2ctSettings:
    """Stage train of DX2CT, and what is saved beside the weights: everything needed to use them."""

    run: Dx2ctRun
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
    model: ModelSettings
    diffusion: DiffusionSettings
    train: OptimizerSettings


@dataclass(frozen=True, config=STRICT)
class MeanSettings:
    """Stage train of the mean training volume."""

    run: MeanRun
    volume: VolumeSettings
    slices: SlicesSettings
