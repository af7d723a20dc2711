"""A scan that somebody has named already: a row of a table, or a file of a data set whose names say what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drr.ct.restated import Restated

SPLIT_OF = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people call the parts of a split."""


@dataclass(frozen=True)
class Listed:
    """Where a scan lies, and what is said of it.

    patient, origin: its name, and what says so. split: empty where it is to be drawn. series_uid: of a DICOM series,
    where several lie in one place; of a file that was made of one. name: for its id; empty for the file's own.
    restated: what holds instead of a volume file's header. folds: further columns split_NAME. at: "TABLE line 7".
    """

    path: Path
    patient: str
    origin: str
    split: str = ""
    series_uid: str = ""
    name: str = ""
    restated: Restated | None = None
    folds: Mapping[str, str] = field(default_factory=dict)
    at: str = ""

    @property
    def shown_at(self) -> str:
        """In front of whatever is wrong with it."""
        return f"{self.at}: " if self.at else ""
