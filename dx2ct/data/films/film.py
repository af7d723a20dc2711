"""A film as a source lists it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Film:
    """name: in its source; patient: whom other films may show, too; spacing_mm: of a pixel, where it is said."""

    name: str
    path: Path
    patient: str
    spacing_mm: float | None = None


@dataclass(frozen=True)
class Listed:
    """The films of one view, and (name, reason) of those that the source itself rules out."""

    films: list[Film] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
