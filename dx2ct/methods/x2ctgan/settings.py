"""The configuration of X2CT-GAN. Sources: X2CT is its paper (CVPR 2019) and the published d2_multiview2500."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.keys import BadKeyError, Count, Fraction, key, NotNegative, PositiveInt, STRICT
from dx2ct.config.runs import LearnedSettings, require_halvings, XrayRow
from dx2ct.methods.cnn2d.settings import VolumeTraining

Sizes = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
Levels = Annotated[tuple[Count, ...], Field(min_length=2)]


@dataclass(frozen=True, config=STRICT)
class X2ctganRow(XrayRow):
    """A row of X2CT-GAN; without the discriminator it is X2CT-CNN."""

    method: Literal["x2ctgan"]
    discriminator: bool = key(True, "false: X2CT-CNN", source="X2CT")


@dataclass(frozen=True, config=STRICT)
class X2ctganModel:
    """Generator, discriminator and the weights of the losses."""

    channels: PositiveInt = key(64, "Channels of the first convolution", source="X2CT")
    dense_layers: Sizes = key((6, 12, 24, 16, 6), "Dense layers behind each halving", source="X2CT")
    growth: PositiveInt = key(32, "Channels that a dense layer adds", source="X2CT")
    bottleneck: PositiveInt = key(4, "Inner width of a dense layer over its growth", source="X2CT")
    dropout: Fraction = key(0.5, "Dropout of bridge A", source="X2CT")
    decoder_channels: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = key(
        (16, 16, 32, 64, 128, 256), "Fine to coarse, one more than dense_layers", source="X2CT"
    )
    decoder_blocks: Levels = key((1, 2, 2, 2, 2, 0), "Blocks of a view's decoder, fine to coarse", source="X2CT")
    fusion_blocks: Levels = key((1, 1, 1, 1, 1, 0), "Blocks of the fusing decoder, fine to coarse", source="X2CT")
    discriminator_channels: PositiveInt = key(64, "Channels of its first convolution", source="X2CT")
    discriminator_layers: PositiveInt = key(3, "Its layers", source="X2CT")
    published: bool = key(
        True,
        "Fused features go back into the views' decoders, bridge B is normed, its kernels and the encoder's end are as "
        "published; false: as this project's first runs",
        source="X2CT",
        earlier=False,
    )
    gan_weight: NotNegative = key(0.1, "Weight of the adversarial loss", source="X2CT")
    voxel_weight: NotNegative = key(10.0, "Weight of the mean squared error", source="X2CT")
    projection_weight: NotNegative = key(10.0, "Weight of the projections' L1", source="X2CT")

    def __post_init__(self) -> None:
        levels = len(self.dense_layers) + 1
        for name in ("decoder_channels", "decoder_blocks", "fusion_blocks"):
            if len(getattr(self, name)) != levels:
                raise BadKeyError(name, f"needs {levels} entries: one more than dense_layers")


@dataclass(frozen=True, config=STRICT)
class X2ctganSettings(LearnedSettings):
    """Everything that decides the weights of a run of X2CT-GAN."""

    run: X2ctganRow
    model: X2ctganModel = key(X2ctganModel, "The networks")
    train: VolumeTraining = key(VolumeTraining, "The training")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_halvings(self.slices.size, len(self.model.dense_layers), "model.dense_layers", least=2)
