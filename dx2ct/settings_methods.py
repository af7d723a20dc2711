"""Typed settings of the methods beside DX2CT: their rows of `runs:` and their sections of `methods:`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.settings import _STRICT, PositiveInt, SlicesSettings, ViewName, VolumeSettings, XraySettings

Views = Annotated[tuple[ViewName, ...], Field(min_length=1)]


@dataclass(frozen=True, config=_STRICT)
class BackprojectionRun:
    """A row of `runs:` for back-projection; `pixels` is the side that the X-rays are averaged down to."""

    method: Literal["backprojection"]
    views: Views
    filter: Literal["none", "ramp"]
    pixels: PositiveInt


@dataclass(frozen=True, config=_STRICT)
class SartRun:
    """A row of `runs:` for SART from an empty volume or the mean training volume; relaxation is the share of each
    correction that is applied."""

    method: Literal["sart"]
    views: Views
    start: Literal["empty", "mean"]
    iterations: PositiveInt
    relaxation: Annotated[float, Field(gt=0, lt=2)]
    pixels: PositiveInt


@dataclass(frozen=True, config=_STRICT)
class ClassicalSettings:
    """Stage train of the classical references, which fits two numbers."""

    run: Annotated[BackprojectionRun | SartRun, Field(discriminator="method")]
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
