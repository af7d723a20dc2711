"""Models by name: the trained networks that come with the project, as examples/models.json lists them.

Of each the index says the folder beside it, what it was trained on, size and SHA-256 of the weights, and its scores.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path
from typing import Any

from drr.errors import InputError
from dx2ct import layout
from dx2ct.layout import ROOT

INDEX = ROOT / "examples" / "models.json"
DEFAULT, FOR_FILMS = "chest", "chest-films"  # where no model is named: of line integrals, of films


@dataclass(frozen=True)
class Entry:
    """A model of the index. bytes and sha256: of its weights; scores: means by metric, and `scored_on` in words.

    patients: how many it was trained on; 0: phantoms alone.
    """

    name: str
    folder: str
    method: str
    trained_on: str
    patients: int
    voxels: int
    spacing_mm: float
    bytes: int
    sha256: str
    scores: Mapping[str, Any]
    licence: str


@cache
def named() -> dict[str, Entry]:
    """The models of the index by name."""
    return {entry["name"]: Entry(**entry) for entry in json.loads(INDEX.read_text(encoding="utf-8"))}


def name_of(folder: Path) -> str:
    """The name in the index of the model that lies in a folder, empty for any other."""
    places = {name: (INDEX.parent / entry.folder).resolve() for name, entry in named().items()}
    return next((name for name, place in places.items() if place == folder.resolve()), "")


def model_folder(model: str | Path) -> Path:
    """The folder of a model: a path as it is, or a name of the index where no run of that name lies here.

    Raises InputError for a name whose weights are not those of the index.
    """
    folder = Path(model)
    if str(model) not in named() or layout.settings(folder).exists():
        return folder
    entry = named()[str(model)]
    found = INDEX.parent / entry.folder
    _require_whole(layout.weights(found), entry)
    return found


def default_for(files: Iterable[Path], style: Path | None = None) -> str:
    """The name of the model for X-rays of which none is said: FOR_FILMS where a film is among them, else DEFAULT.

    style: what films go through; they are no films any more then.
    """
    return FOR_FILMS if style is None and any(file.suffix.lower() != ".mha" for file in files) else DEFAULT


def in_words(entry: Entry) -> str:
    """Two lines for people."""
    scores = ", ".join(f"{name} {value:g}" for name, value in entry.scores.items() if name != "scored_on")
    return (
        f"{entry.name}: {entry.method}, {entry.voxels} cubed of {entry.spacing_mm:g} mm, {entry.bytes / 1e6:.1f} MB, "
        f"of {entry.trained_on}\n    {scores} on {entry.scores['scored_on']}; {entry.licence}"
    )


def _require_whole(weights: Path, entry: Entry) -> None:
    from hashlib import sha256

    try:
        found = sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"model {entry.name}: {weights}: {error.strerror}: install dx2ct again") from None
    if found != entry.sha256:
        raise InputError(f"model {entry.name}: {weights}: is not what {INDEX.name} lists: install dx2ct again")
