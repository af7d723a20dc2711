"""Which view a DICOM film shows: the one place where that is decided, by its header and, where that is silent, by the
network that judges how films lie (pose).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Literal

from pydicom.dataset import Dataset

from drr.ct.dicom_parse import Budget, items, parse_header, text
from drr.ct.sources import Member
from drr.errors import InputError
from dx2ct.predict.border import without_border
from dx2ct.predict.film_header import DESCRIPTIONS
from dx2ct.predict.film_place import directions_of
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.view import said_view
from dx2ct.predict.xray import printable, Xray

View = Literal["pa", "lateral"]
TAGS = ("Modality", "InstanceNumber", "ViewPosition", "PatientOrientation", "ViewCodeSequence", *DESCRIPTIONS)
# What is neither: oblique, lordotic, lying on a side.
_OTHERS = {"LAO", "RAO", "LPO", "RPO", "LLO", "RLO", "OBLIQUE", "LORDOTIC", "LLD", "RLD", "DECUBITUS"}
_AXES = {frozenset("LR"): "pa", frozenset("AP"): "lateral"}
_NAMES = {"pa": "a PA X-ray", "lateral": "a lateral X-ray"}
_SILENT = "neither ViewPosition nor PatientOrientation nor a description tells the view"


@dataclass(frozen=True)
class Told:
    """A view and who says so; without a view, why nobody does."""

    view: View | None
    by: str


def view_of(header: Dataset, xray: Xray) -> Told:
    """The view that a film shows, by its header and what was read of it.

    A header that names another view, or contradicts itself, is believed in that: the picture is looked at where it says
    nothing.
    """
    told = told_view(header)
    return _looked_at(xray) if told.by == _SILENT else told


def _looked_at(xray: Xray) -> Told:
    """By the network, from LIKELY on, as a film that is given as the wrong view is doubted."""
    from dx2ct.predict.pose.network import judged  # waits for torch
    from dx2ct.predict.pose.told import LIKELY

    views = judged(oriented(without_border("film", xray, Framing()), Framing())).views
    name, share = max(views.items(), key=lambda one: one[1])
    sure = f"a small network, {min(100 * share, 99.9):.3g} % sure"
    if name == "other" or share <= LIKELY:
        what = "no chest X-ray" if name == "other" else _NAMES[name]
        return Told(None, f"{_SILENT}; it looks like {what} to {sure}: name it, dx2ct predict --pa or --lateral")
    return Told(_view(name), sure)


def header_of(path: Path) -> Dataset:
    """What of a file's header says the view; InputError for what is no DICOM file."""
    parsed = parse_header(Member(path.name, path.stat().st_size, lambda: path.open("rb")), list(TAGS))
    if parsed is None:
        raise InputError(f"{path.name}: not a DICOM file (no DICM mark): fetch it again")
    return parsed[0]


def told_view(header: Dataset) -> Told:
    """By ViewPosition, else the code of the view, else PatientOrientation, else words of descriptions.

    None where nothing says it, where another view is named, and where orientation contradicts the name.
    """
    named = [(tag, said) for tag, said in _names(header) if said]
    for tag, said in named:
        if other := set(re.findall("[A-Z]+", said.upper())) & _OTHERS:
            return Told(None, printable(f"{tag} {said[:40]}: {min(other)} is neither PA nor lateral"))
    found = [(tag, said, view) for tag, said in named if (view := said_view(said))]
    lies, how = _lies(header)
    if not found and lies is None:
        return Told(None, _SILENT)
    if not found:
        return Told(_view(lies), how)
    tag, said, view = found[0]
    by = printable(f"{tag} {said[:40]}")
    if lies is not None and lies != view:
        return Told(None, f"{by} and {how} contradict each other")
    return Told(_view(view), by)


def _view(name: str | None) -> View:
    return "lateral" if name == "lateral" else "pa"


def _names(header: Dataset) -> Iterator[tuple[str, str]]:
    yield "ViewPosition", text(header, "ViewPosition")
    for code in items(header, "ViewCodeSequence", Budget()):
        yield "ViewCodeSequence", text(code, "CodeMeaning").replace("-", "")  # postero-anterior
    yield from ((tag, text(header, tag)) for tag in DESCRIPTIONS)


def _lies(header: Dataset) -> tuple[str | None, str]:
    """The view whose rows run between left and right, or between front and back."""
    directions, _ = directions_of(header)
    if directions is None:
        return None, ""
    across = next((axis for letter in directions for axis in _AXES if letter in axis), None)
    view = _AXES[across] if across and set(directions) & set("HF") else None
    return view, "PatientOrientation " + "\\".join(directions)
