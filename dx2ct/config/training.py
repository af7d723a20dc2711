"""Sections about training that all methods share."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.augment import AugmentSettings, NO_AUGMENT
from dx2ct.config.keys import (
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
from dx2ct.config.parse import plain

Beta = Annotated[float, Field(ge=0, lt=1)]
Beta2 = Annotated[float, Field(gt=0, lt=1)]
Split = Literal["val", "train"]
Optimizer = Literal["adam", "adamw", "muon"]
Schedule = Literal["constant", "cosine", "linear"]
AS_BEFORE = plain(NO_AUGMENT)


@dataclass(frozen=True, config=STRICT)
class ValidationSettings:
    """PSNR of some scans while training, and what is made of it."""

    every: Count = key(0, "Steps between validations; 0: never")
    split: Split = key("val", "The scans it looks at")
    patience: Count = key(0, "End after so many validations without a better one; 0: train to the end")
    keep: Literal["last", "best"] = key("last", "The weights that are used: the last or the best by validation")

    def __post_init__(self) -> None:
        if not self.every and (self.patience or self.keep == "best"):
            raise BadKeyError("every", "0, but patience and keep: best need validations: set it to more than 0")


@dataclass(frozen=True, config=STRICT)
class ScanValidation(ValidationSettings):
    """The same on whole volumes."""

    scans: PositiveInt = key(4, "So many scans, the first of their split")


@dataclass(frozen=True, config=STRICT)
class TrainSettings:
    """The training of a method that learns step by step."""

    seed: Seed = key(0, "Of weights, batches and noise", source="default: any")
    start_from: Annotated[str, Field(min_length=1)] | None = key(
        None,
        "Where the weights begin: those of another run, by its name, or of a model's folder, by a path with a slash",
        source="default: at random",
        earlier=None,
    )
    start_share: Fraction = key(
        0.0,
        "Share of the weights of start_from in the finished ones, the rest being the training's: less is forgotten",
        source="default: ours; Wortsman et al. 2022 (robust fine-tuning)",
        earlier=0.0,
    )
    steps: Count = key(1, "Optimizer steps; 0: the weights of start_from as they are")
    batch: PositiveInt = key(1, "Examples of one step, of all processes together")
    accumulate: PositiveInt = key(1, "Parts that a batch is computed in, one after the other, where memory is short")
    slices_per_patient: PositiveInt = key(1, "So many of the batch share a patient, whose X-rays are encoded once")
    precision: Literal["auto", "float32", "bf16"] = key("auto", "auto: bf16 on a GPU that has it, else float32")
    optimizer: Optimizer = key(
        "adam",
        "muon: Muon for weights of two axes and more, AdamW for the rest",
        source="default: Adam, as the papers",
        earlier="adam",
    )
    learning_rate: PositiveFloat = key(1e-4, "Of the optimizer")
    beta1: Beta = key(0.9, "Of Adam", source="default: Adam's own")
    beta2: Beta2 = key(0.999, "Of Adam", source="default: Adam's own")
    weight_decay: NotNegative = key(0.0, "Of Adam", source="default: none is mentioned")
    schedule: Schedule = key(
        "constant",
        "cosine: down to 0 at the last step; linear: constant, then down to 0 in the second half",
        source="default: none is mentioned",
    )
    warmup_steps: Count = key(0, "Steps in which the rate rises to its value", source="default: none is mentioned")
    clip_norm: NotNegative = key(0.0, "Bound of the gradient's norm; 0: none", source="default: none is mentioned")
    ema_decay: Beta = key(0.0, "Decay of the weights' moving average, which is what is used; 0: the last weights")
    augment: AugmentSettings = key(
        AugmentSettings, "Changed copies of the scans with X-rays of their own", earlier=AS_BEFORE
    )
    validation: ValidationSettings = key(ValidationSettings, "PSNR while training")

    def __post_init__(self) -> None:
        if self.batch % self.slices_per_patient:
            raise BadKeyError("batch", f"{self.batch} is no multiple of slices_per_patient, {self.slices_per_patient}")
        if not self.steps and self.start_from is None:
            raise BadKeyError("steps", "0, but there are no weights without a training: say start_from")
        if self.start_share and self.start_from is None:
            raise BadKeyError("start_share", f"{self.start_share:g}, but the training starts at random: say start_from")

    @property
    def betas(self) -> tuple[float, float]:
        """Of Adam."""
        return self.beta1, self.beta2


@dataclass(frozen=True, config=STRICT)
class VolumeTrainSettings(TrainSettings):
    """The same where an example is a whole volume."""

    validation: ScanValidation = key(ScanValidation, "PSNR while training")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slices_per_patient != 1:
            raise BadKeyError("slices_per_patient", f"{self.slices_per_patient}: an example is a volume: set it to 1")


@dataclass(frozen=True, config=STRICT)
class EngineSettings:
    """How a training runs on a machine: nothing here decides what is learnt, so a change reruns nothing."""

    compile: bool | Literal["auto", "cuda_graphs"] = key(
        "auto",
        "true: torch.compile; cuda_graphs: the kernels of a pass are recorded once and replayed; "
        "auto: that where it can be, on one GPU with train.accumulate 1",
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = key(
        "auto", "Of convolutions; auto: channels_last on a GPU"
    )
    save_every_s: NotNegative = key(
        120.0, "Time between two saved states, the most that a killed training loses", unit="s"
    )
    tensorboard: bool = key(False, "Curves and pictures: tensorboard --logdir results")
    loaders: Count = key(
        1, "Threads that make examples ahead, on a GPU and with train.augment; 0: each is made when its step comes"
    )
