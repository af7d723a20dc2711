"""Where scans come from, by the name in `cohort.source`. A new source is a module here and its name in BUILT_IN.

This and the modules' faces are light: a workflow is planned with them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

BUILT_IN = ("phantom", "lidc", "local")


@dataclass(frozen=True)
class Source:
    """A kind of cohort.

    columns: what its sheet needs beside scan, patient and series_uid. fetch: "module:function" that writes a scan's zip
    (row of the sheet, sheet, JSON of the section, output); empty where the sheet's column `path` names the scans.
    tracked: of a row, what decides that zip. section: of the configuration, passed to `fetch` and not tracked.
    nodules: table of annotated nodules beside the sheet. slots: how many of the resource download_slots one takes.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    fetch: str = ""
    tracked: Callable[[Mapping[str, str]], dict[str, Any]] = lambda row: {}
    section: str = ""
    nodules: str = ""
    slots: int = 0

    def run(self, row: Mapping[str, str], sheet: Path, settings: str, output: Path) -> None:
        """Fetch one scan."""
        module, _, name = self.fetch.partition(":")
        getattr(import_module(module), name)(row, sheet, settings, output)


@cache
def sources() -> dict[str, Source]:
    """{name: source}."""
    return {name: import_module(f"{__name__}.{name}").SOURCE for name in BUILT_IN}
