"""What weights were trained on, in the header of their own file: it goes wherever they go, into another training, too.

Numbers and names of tables only: no patient, no scan. Weights of earlier versions say nothing.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from drr.files import replacing
from dx2ct import layout
from dx2ct.config import plain
from dx2ct.config.keys import Count, STRICT
from dx2ct.config.parse import checked
from dx2ct.methods.saved import read_metadata

KEY = "trained_on"
WORDS = {"phantom": "procedural phantom", "lidc": "CT of LIDC-IDRI", "own": "CT"}


@dataclass(frozen=True, config=STRICT)
class Stage:
    """One training of weights: its scans, patients and steps, and the sheet that names the scans.

    data: phantom, lidc, own; unknown: these weights were there, and do not say more. fold: its column split_FOLD.
    drawn: phantoms beside them that were drawn while training (train.augment).
    """

    data: Literal["phantom", "lidc", "own", "unknown"]
    sheet: str
    scans: Count
    patients: Count
    steps: Count
    fold: str | None = None
    drawn: Count = 0

    @property
    def words(self) -> str:
        """For people."""
        if self.data == "unknown":
            return f"what the weights of {self.sheet} do not say"
        several = "CTs of LIDC-IDRI" if self.data == "lidc" else f"{WORDS[self.data]}s"
        what = WORDS[self.data] if self.scans == 1 else several
        found = f"{self.scans} {what} of {self.sheet}" + (f" (fold {self.fold})" if self.fold else "")
        return f"{self.drawn} drawn phantoms and {found}" if self.drawn else found


@dataclass(frozen=True, config=STRICT)
class TrainedOn:
    """The trainings of some weights, the first one first."""

    stages: tuple[Stage, ...]

    @property
    def words(self) -> str:
        """One line."""
        return f"trained on {', then on '.join(stage.words for stage in self.stages)}"

    def then(self, stage: Stage) -> "TrainedOn":
        """With one more."""
        return TrainedOn((*self.stages, stage))


def write_trained_on(run: Path, trained_on: TrainedOn) -> None:
    """Put it into the header of a run's weights; the values of the weights stay as they are."""
    content = layout.weights(run).read_bytes()
    with replacing(layout.weights(run)) as part:
        part.write_bytes(with_metadata(content, {KEY: json.dumps(plain(trained_on), sort_keys=True)}))


def read_trained_on(run: Path) -> TrainedOn | None:
    """What a run's weights were trained on; None where they do not say. InputError for damaged weights."""
    text = read_metadata(run).get(KEY)
    return checked(TrainedOn, json.loads(text)) if text else None


def known_or_unknown(run: Path) -> TrainedOn:
    """The same, and in place of nothing a stage that says that nothing is known."""
    return read_trained_on(run) or TrainedOn((Stage("unknown", run.resolve().name, 0, 0, 0),))


def with_metadata(content: bytes, metadata: dict[str, str]) -> bytes:
    """A safetensors file with more metadata: 8 bytes that count the header, the header in JSON, the values."""
    end = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:end])
    header["__metadata__"] = header.get("__metadata__", {}) | metadata
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the values begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[end:]
