"""Sections about what a trained network is asked: reconstruct and score."""

from typing import Literal

from pydantic.dataclasses import dataclass

from dx2ct.config.keys import (
    BadKeyError,
    Count,
    Fraction,
    key,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Seed,
    stage_version,
    STRICT,
)


@dataclass(frozen=True, config=STRICT)
class ConsistencySettings:
    """Data consistency: the volume is changed until its line integrals are the X-rays' (docs/sampling.md)."""

    iterations: Count = key(0, "Iterations of CGLS; 0: none", source="paper: none")
    weight: Fraction = key(1.0, "Share of the change that is added")
    smooth_mm: NotNegative = key(0.0, "Deviation of the Gaussians that the change is made of", unit="mm")
    when: Literal["end", "steps"] = key("end", "end: once; steps: after every step too, which needs planes: together")


@dataclass(frozen=True, config=STRICT)
class SamplingOptions:
    """How noise becomes a volume (docs/sampling.md); a run may lay its own values over these."""

    solver: str = key("ddim", "A name of SOLVERS: ddim, or dpm for DPM-Solver++ 2M", source="paper")
    planes: Literal["alone", "together"] = key(
        "alone", "alone: three volumes, then their mean; together: one volume at every step", source="paper"
    )
    noise: Literal["image", "volume"] = key(
        "image", "image: one for all slices; volume: one that each plane sees through its slices", source="paper"
    )
    steps: PositiveInt = key(50, "Steps of the solver", source="digest")
    eta: Fraction = key(0.0, "Share of fresh noise in DDIM's steps", source="paper: no random term")
    seed: Seed = key(0, "Of the noise", source="default: any")
    samples: PositiveInt = key(
        1, "More than 1: their mean, and their standard deviation in results/RUN/deviations/", source="paper"
    )
    batch: PositiveInt = key(64, "Slices at once, at most; no influence on the result but rounding")
    consistency: ConsistencySettings = key(ConsistencySettings, "With the line integrals of the X-rays")

    def __post_init__(self) -> None:
        if self.planes == "alone" and self.consistency.when == "steps":
            raise BadKeyError("consistency.when", "steps needs one volume at every step: set planes: together")


@dataclass(frozen=True, config=STRICT)
class ScoreSettings:
    """The metrics."""

    data_range_hu: PositiveFloat = key(
        2500.0, "Peak of PSNR: the width of the window [-1024, 1476] HU", unit="HU", source="X2CT"
    )
    lpips: bool = key(True, "LPIPS; an empty column where the backbone's weights cannot be had", source="paper")
    version: int = stage_version(3)
