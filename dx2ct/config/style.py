"""The section style: a CycleGAN between rendered X-rays and films, and where the films are."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.data import VolumeSettings, XraySettings
from dx2ct.config.keys import (
    BadKeyError,
    Count,
    key,
    needed,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Seed,
    stage_version,
    STRICT,
    ViewName,
)
from dx2ct.config.runs import Views
from dx2ct.config.training import Beta, Beta2, TrainSettings

CYCLEGAN = "CycleGAN (Zhu et al. 2017)"
Place = Annotated[str, Field(min_length=1)]
LEAST_PIXELS = 32


@dataclass(frozen=True, config=STRICT)
class PadChestSource:
    """PadChest as it is given out: its table, and 16-bit PNGs in folders 0 to 54; projections PA and L are taken."""

    kind: Literal["padchest"]
    path: Place = needed("The folder with the folders 0 to 54")
    table: Place | None = key(None, "Its table (.csv, .csv.gz); null: the one PADCHEST_*.csv of the folder")
    children: bool = key(False, "true: films of children, too")


@dataclass(frozen=True, config=STRICT)
class OpenISource:
    """Open-i (Indiana University): indiana_projections.csv, and the PNGs that it names somewhere below the folder."""

    kind: Literal["openi"]
    path: Place = needed("The folder with the pictures")
    table: Place | None = key(None, "indiana_projections.csv; null: the one below the folder")


@dataclass(frozen=True, config=STRICT)
class FolderSource:
    """Films of one view in a folder, of any kind that `dx2ct predict` reads."""

    kind: Literal["folder"]
    path: Place = needed("The folder; folders in it are looked at, too")
    view: ViewName = needed("The view of the films")
    files: Place = key("*", "Which files, as pa_*.png")


FilmSource = Annotated[PadChestSource | OpenISource | FolderSource, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class StyleModel:
    """Two generators and two discriminators of each view."""

    channels: PositiveInt = key(64, "Of the generators' first layer", source=CYCLEGAN)
    blocks: PositiveInt = key(9, "Residual blocks of a generator", source=f"{CYCLEGAN}, from 256 pixels on")
    residual: bool = key(False, "true: a generator adds to its input, and begins near it", source=f"{CYCLEGAN}: no")
    upsampling: Literal["transposed", "nearest"] = key(
        "transposed",
        "How images are doubled; nearest: then a convolution, without the checkerboard that a short training leaves",
        source=CYCLEGAN,
    )
    discriminator_channels: PositiveInt = key(64, "Of the discriminators' first layer", source=CYCLEGAN)
    discriminator_layers: PositiveInt = key(
        3, "Halvings of a discriminator; with 3 it judges patches of 70 x 70 pixels", source=CYCLEGAN
    )


@dataclass(frozen=True, config=STRICT)
class StyleTrain:
    """The training of each view's model: the rate is constant, then falls to 0 in the second half."""

    seed: Seed = key(0, "Of weights, batches and history", source="default: any")
    steps: PositiveInt = key(200_000, "Optimizer steps", source=f"{CYCLEGAN}: 200 epochs, of 1,000 films")
    batch: PositiveInt = key(1, "X-rays and films of one step", source=CYCLEGAN)
    learning_rate: PositiveFloat = key(2e-4, "Of Adam", source=CYCLEGAN)
    beta1: Beta = key(0.5, "Of Adam", source="default: its published training")
    beta2: Beta2 = key(0.999, "Of Adam", source="default: Adam's own")
    precision: Literal["auto", "float32", "bf16"] = key("auto", "auto: bf16 on a GPU that has it, else float32")
    cycle: NotNegative = key(10.0, "Weight of the cycle's L1 loss", source=CYCLEGAN)
    identity: NotNegative = key(0.5, "Weight of the identity loss, as a share of the cycle's", source=CYCLEGAN)
    history: Count = key(50, "Translated images that the discriminators are shown again; 0: none", source=CYCLEGAN)
    copies: Count = key(
        0, "Changed copies of each scan beside it, as train.augment makes them by default", source="ours"
    )

    @property
    def steps_settings(self) -> TrainSettings:
        """The same for the loop that trains all networks."""
        return TrainSettings(
            seed=self.seed,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            schedule="linear",
        )


@dataclass(frozen=True, config=STRICT)
class StyleSettings:
    """A CycleGAN of each view, `results/style/VIEW/`, asked for by name or by a derived run with `style: true`."""

    films: tuple[FilmSource, ...] = key(
        (), "Where films are: {kind: padchest, openi or folder, path: FOLDER, ...}; empty: there is no style"
    )
    views: Views = key(("pa", "lateral"), "The views that get a model", source="paper")
    pixels: PositiveInt = key(128, "Side of its images, a multiple of 4", source="digest: DX2CT's X-rays")
    limit: PositiveInt | None = key(
        None, "So many films of a view, drawn by chance; null: all", source="default: X2CT took 1,000"
    )
    held_out: Annotated[float, Field(ge=0, lt=1)] = key(
        0.1, "Share of the patients whose films are not trained on, to judge with", source="ours"
    )
    model: StyleModel = key(StyleModel, "The networks")
    train: StyleTrain = key(StyleTrain, "Their training")
    version: int = stage_version(1)

    def __post_init__(self) -> None:
        if self.pixels % 4 or self.pixels < LEAST_PIXELS:
            raise BadKeyError("pixels", f"{self.pixels}: a multiple of 4, {LEAST_PIXELS} at least")
        if len(set(self.views)) < len(self.views):
            raise BadKeyError("views", f"names a view twice: {', '.join(self.views)}")


@dataclass(frozen=True, config=STRICT)
class FilmsSettings:
    """Everything that decides the films of a view: stage `dx2ct style-films`."""

    view: ViewName
    films: tuple[FilmSource, ...]
    pixels: PositiveInt
    limit: PositiveInt | None
    held_out: float
    xray: XraySettings
    version: int


@dataclass(frozen=True, config=STRICT)
class StyleRunSettings:
    """Everything that decides the weights of a view's model but its scans and films."""

    view: ViewName
    pixels: PositiveInt
    model: StyleModel
    train: StyleTrain
    volume: VolumeSettings
    xray: XraySettings
