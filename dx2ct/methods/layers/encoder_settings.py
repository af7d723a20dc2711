"""The section `encoder` of the methods whose X-ray features come from a ResNet."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.keys import key, PositiveInt, STRICT


@dataclass(frozen=True, config=STRICT)
class EncoderSettings:
    """A ResNet whose conv2_x, conv3_x and conv4_x are the feature scales."""

    blocks: tuple[PositiveInt, PositiveInt, PositiveInt] = key(
        (3, 4, 6), "Residual blocks of conv2_x, conv3_x and conv4_x", source="paper: ResNet-50"
    )
    width_per_group: PositiveInt = key(64, "Inner width", source="paper: ResNet-50")
    norm: Literal["batch", "group"] = key(
        "batch", "batch, or group, which does not mind small batches", source="paper: ResNet-50"
    )
    pretrained: bool | Annotated[str, Field(pattern=r"\.pth?$")] = key(
        True, "true: ImageNet's weights; false: none; or a file of them (.pth)", source="paper: ImageNet"
    )
