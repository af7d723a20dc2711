"""Settings of the stages behind training: reconstruct and score."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.base import Fraction, NotNegative, PositiveFloat, PositiveInt, Seed, STRICT


@dataclass(frozen=True, config=STRICT)
class ConsistencySettings:
    """What is done so that a volume has the X-rays that it was made from (dx2ct/samplers/consistency.py).

    iterations: of CGLS, 0 = nothing is done. weight: of the change. smooth_mm: deviation of the Gaussians that the
    change is made of. when: at every step and at the end, or at the end only.
    """

    iterations: Annotated[int, Field(ge=0)]
    weight: Fraction
    smooth_mm: NotNegative
    when: Literal["steps", "end"]


OFF = ConsistencySettings(iterations=0, weight=1.0, smooth_mm=0.0, when="end")


@dataclass(frozen=True, config=STRICT)
class ReconstructSettings:
    """Stage reconstruct: how noise becomes a volume (see docs/sampling.md)."""

    solver: Literal["ddim", "dpm"]
    planes: Literal["alone", "together"]
    noise: Literal["image", "volume"]
    steps: PositiveInt
    eta: Fraction
    seed: Seed
    samples: PositiveInt
    batch: PositiveInt
    consistency: ConsistencySettings

    def __post_init__(self) -> None:
        if self.solver == "dpm" and self.eta:
            raise ValueError(f"reconstruct.eta {self.eta}: solver dpm adds no fresh noise, set it to 0 or take ddim")
        if self.planes == "alone" and self.consistency.when == "steps":
            raise ValueError("reconstruct.consistency.when: steps needs one volume at every step, planes: together")


@dataclass(frozen=True, config=STRICT)
class ScoreSettings:
    """Stage score: metric definitions."""

    version: int
    data_range_hu: PositiveFloat
    lpips: bool
