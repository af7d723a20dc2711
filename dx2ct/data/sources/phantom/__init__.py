"""Procedural thorax phantoms: a scan is made of the seed in its row."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dx2ct.config import PhantomSettings, tracked
from dx2ct.config.data import VARIED_VERSION
from dx2ct.data.sources import Source


def recipe(row: Mapping[str, str]) -> PhantomSettings:
    """What decides a phantom; a sheet without the column `recipe` is of plain ones."""
    return PhantomSettings(seed=int(row["seed"]), recipe="varied" if row.get("recipe") == "varied" else "plain")


def _tracked(row: Mapping[str, str]) -> dict[str, Any]:
    found = recipe(row)
    values: dict[str, Any] = tracked(found)
    return values | ({"recipe_version": VARIED_VERSION} if found.recipe == "varied" else {})


def fetch(row: Mapping[str, str], sheet: Path, settings: str, output: Path) -> None:
    """Draw the phantom and write it as a zipped DICOM series."""
    from dx2ct.data.sources.phantom.series import write_phantom

    write_phantom(row["scan"], recipe(row), output)


SOURCE = Source(
    "phantom",
    "procedural phantoms",
    ("path", "split", "seed"),
    fetch=f"{__name__}:fetch",
    tracked=_tracked,
)
