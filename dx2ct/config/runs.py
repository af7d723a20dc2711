"""Rows of `runs:`, and what decides the weights of a run; every method adds its own keys."""

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.augment import FIRST_PHANTOMS, NO_AUGMENT
from dx2ct.config.data import SlicesSettings, VolumeSettings, XraySettings
from dx2ct.config.keys import BadKeyError, key, needed, Seed, SplitName, STRICT, ViewName
from dx2ct.config.training import TrainSettings

Views = Annotated[tuple[ViewName, ...], Field(min_length=1)]
Folds = Annotated[tuple[SplitName, ...], Field(json_schema_extra={"uniqueItems": True})]


def require_halvings(size: int, times: int, why: str, least: int = 1) -> None:
    """BadKeyError where slices.size cannot be halved so often, or has fewer than `least` voxels a side then."""
    step = 2**times
    if size % step or size // step < least:
        use = f"use a multiple of {step}" + (f", {least * step} at least" if least > 1 else "")
        raise BadKeyError("slices.size", f"{size} cannot be halved {times} times ({why}): {use}")


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Row:
    """A row of `runs:`; every method adds its ablations."""

    method: str
    over: dict[str, object] = key(
        dict, "Values that are laid over the method's sections for this run alone, as {train: {seed: 1}}", earlier={}
    )
    seeds: tuple[Seed, ...] | None = key(
        None,
        "The run is trained once with each, as RUN_seedN; null: as `seeds` of the configuration says",
        earlier=None,
    )
    folds: Folds | None = key(
        None,
        "The run is trained once for each, as RUN_NAME, on the scans that the sheet's column split_NAME trains on, and "
        "reconstructs its test scans; null: as `folds` of the configuration says",
        earlier=None,
    )


@dataclass(frozen=True, config=STRICT, kw_only=True)
class XrayRow(Row):
    """A row of a method that looks at X-rays."""

    views: Views = key(("pa", "lateral"), "The X-rays that it sees, names of xray.views")

    def __post_init__(self) -> None:
        if len(set(self.views)) < len(self.views):
            raise BadKeyError("views", f"names a view twice: {', '.join(self.views)}")


@dataclass(frozen=True, config=STRICT)
class DerivedRow:
    """A row that reconstructs with another run's weights in another way."""

    weights_of: str = needed("The run whose weights are used")
    views: Views | None = key(
        None, "Some of the source run's views, for a method that needs no more; null: all of them"
    )
    reconstruct: dict[str, object] = key(dict, "Values that are laid over the section reconstruct")
    style: bool = key(False, "true: from rendered X-rays in the style of films (section style), whose CT is known")


@dataclass(frozen=True, config=STRICT)
class RunSettings:
    """Everything that decides the weights of a run, and nothing else; each method adds its own sections."""

    run: Row
    volume: VolumeSettings
    slices: SlicesSettings

    def relevant(self) -> Self:
        """The same with keys that mean nothing to this row at their defaults, so that they rerun nothing."""
        return self

    def __post_init__(self) -> None:
        if self.slices.size > self.volume.size:
            raise BadKeyError("slices.size", f"{self.slices.size} is more than volume.size, {self.volume.size}")


@dataclass(frozen=True, config=STRICT)
class XrayRunSettings(RunSettings):
    """Of a method that looks at X-rays."""

    run: XrayRow
    xray: XraySettings

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            self.xray.only(self.run.views)
        except BadKeyError as error:
            raise BadKeyError(f"run.{error.key}", error.problem) from None


@dataclass(frozen=True, config=STRICT)
class LearnedSettings(XrayRunSettings):
    """Of a method that learns step by step; each adds its `model`."""

    train: TrainSettings

    @property
    def takes_geometry(self) -> bool:
        """True where the network gets the geometry of each example as data."""
        return False

    @property
    def fine_voxels(self) -> int:
        """Side of the volume that changed copies are made of: a multiple of slices.size."""
        return self.train.augment.voxels or self.slices.size * min(2, self.volume.size // self.slices.size)

    def relevant(self) -> Self:
        """Without the section augment where it changes nothing, or the phantoms' version where none is drawn."""
        augment = self.train.augment
        if augment.phantoms:
            return self
        found = replace(augment, version=FIRST_PHANTOMS) if augment.changes else NO_AUGMENT
        return replace(self, train=replace(self.train, augment=found))

    def __post_init__(self) -> None:
        super().__post_init__()
        augment = self.train.augment
        if not augment.changes:
            return
        try:
            augment.require_inside(self.volume.side_mm)
        except BadKeyError as error:
            raise BadKeyError(f"train.augment.{error.key}", error.problem) from None
        if self.fine_voxels % self.slices.size or self.fine_voxels > self.volume.size:
            raise BadKeyError(
                "train.augment.voxels",
                f"{self.fine_voxels}: use a multiple of slices.size, {self.slices.size}, up to volume.size, "
                f"{self.volume.size}",
            )
        if augment.copies and augment.exposure.moves and not self.takes_geometry:
            raise BadKeyError(
                "train.augment.exposure", "this method has one geometry built in: leave all its keys at 0"
            )
