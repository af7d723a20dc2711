"""The configuration of the classical methods, which have rows of `runs:` and no section of their own."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.keys import key, PositiveInt, STRICT
from dx2ct.config.runs import XrayRow, XrayRunSettings

PIXELS = "Side that the X-rays are averaged down to"
AS_FINE = "default: 1.95 mm, as fine as the voxels where they meet"


@dataclass(frozen=True, config=STRICT)
class BackprojectionRow(XrayRow):
    """A row of back-projection."""

    method: Literal["backprojection"]
    filter: Literal["none", "ramp"] = key("none", "none, or ramp as in FDK", source="default: ours")
    pixels: PositiveInt = key(256, PIXELS, source=AS_FINE)


@dataclass(frozen=True, config=STRICT)
class BackprojectionSettings(XrayRunSettings):
    """Everything that decides what a run of back-projection learns: two numbers."""

    run: BackprojectionRow


@dataclass(frozen=True, config=STRICT)
class SartRow(XrayRow):
    """A row of SART."""

    method: Literal["sart"]
    start: Literal["empty", "mean"] = key("empty", "empty, or mean: the mean training volume", source="default: ours")
    iterations: PositiveInt = key(20, "Passes over the views", source="default: ours")
    relaxation: Annotated[float, Field(gt=0, lt=2)] = key(
        0.5, "Share of each correction that is applied", source="default: ours"
    )
    pixels: PositiveInt = key(256, PIXELS, source=AS_FINE)


@dataclass(frozen=True, config=STRICT)
class SartSettings(XrayRunSettings):
    """Everything that decides what a run of SART learns."""

    run: SartRow
