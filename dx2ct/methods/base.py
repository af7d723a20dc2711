"""What a method is. Its settings are light, so that a workflow can be planned without torch; the rest is imported late.

A method says its name, its types and where its implementation is, and stands in one line of METHODS. The implementation
trains on prepared scans and loads a run as a `Trained` (contract.py), which reconstructs arrays.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TYPE_CHECKING, TypeVar

from drr.errors import InputError
from dx2ct.config import RunSettings, XrayRow, XrayRunSettings
from dx2ct.config.keys import fields_of

if TYPE_CHECKING:
    from dx2ct.data.cohort.sheet import Row
    from dx2ct.methods.contract import Trained
    from dx2ct.training.runtime import Runtime

S = TypeVar("S", bound=RunSettings)
SHARED = ("run", *fields_of(XrayRunSettings))  # parts of a run's settings that are no sections of the method's own


class Implementation(ABC, Generic[S]):
    """Training and loading of a method."""

    @abstractmethod
    def train(self, settings: S, rows: "Sequence[Row]", data: Path, output: Path, runtime: "Runtime") -> None:
        """Train on the rows of split train and leave a finished run in `output` (dx2ct/methods/saved.py).

        data: the folder with xrays/, slices/ and volumes/ of prepared scans.
        """

    @abstractmethod
    def load(self, settings: S, run: Path, runtime: "Runtime") -> "Trained":
        """The trained method, its network in memory; InputError for weights that are not its."""


@dataclass(frozen=True)
class Method:
    """A method as the configuration, the planning and the model card see it.

    settings: the type of everything that decides its weights; its fields beside run, volume, xray and slices are the
    sections of `methods.NAME`. card: a paragraph of Markdown for the model card. source: paper or description.
    implementation: an Implementation, or "module:object", which is imported when it is needed. samples: it starts from
    noise, so that the section reconstruct means something to it. files: of a row and a scan, files of the user's own
    that its reconstruction reads. any_view: some of a run's views are enough for a reconstruction.
    may_change: keys of its row and sections (model.dropout) without which weights mean the same: a training may have
    them otherwise than the one whose weights it starts from.
    """

    name: str
    title: str
    source: str
    card: str
    settings: type[Any]
    implementation: "Implementation[Any] | str"
    samples: bool = False
    any_view: bool = False
    may_change: tuple[str, ...] = ()
    files: Callable[[Any, str], list[str]] = lambda row, scan: []

    @property
    def row(self) -> Any:
        """The type of its rows of `runs:`."""
        return fields_of(self.settings)["run"].annotation

    @property
    def sections(self) -> dict[str, Any]:
        """Its own sections by name, with their types."""
        return {name: info.annotation for name, info in fields_of(self.settings).items() if name not in SHARED}

    @property
    def looks_at_xrays(self) -> bool:
        """False for one that needs none, as the mean volume."""
        return issubclass(self.row, XrayRow)

    @property
    def learns(self) -> bool:
        """True for one that is trained step by step."""
        return "train" in self.sections

    def implement(self) -> "Implementation[Any]":
        """The implementation, imported now."""
        if not isinstance(self.implementation, str):
            return self.implementation
        module, _, name = self.implementation.partition(":")
        found: Implementation[Any] = getattr(import_module(module), name)
        return found


def training_scans(rows: "Sequence[Row]") -> list[str]:
    """Scans of split train; InputError where there is none."""
    scans = [row.scan for row in rows if row.split == "train"]
    if not scans:
        raise InputError("the cohort has no scan of split train")
    return scans
