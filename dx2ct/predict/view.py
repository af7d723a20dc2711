"""Is a film of the view that it is given as, and does it lie as that view must?

At the left of a PA image is the patient's right, of a lateral one the front; the head is at the top.
"""

from dataclasses import replace
import re

from dx2ct.predict.turn import turn_between
from dx2ct.predict.xray import printable, Xray

# Where rows and columns run to.
DIRECTIONS = {"pa": ("L", "F"), "lateral": ("P", "F")}
_NAMES = {"pa": "PA", "lateral": "lateral"}
_FRONTAL, _LATERAL = {"PA", "AP", "FRONTAL", "POSTEROANTERIOR", "ANTEROPOSTERIOR"}, {"LL", "RL", "LAT", "LATERAL"}


def said_view(position: str) -> str | None:
    """The view that a ViewPosition names, pa or lateral; None for another, and for none."""
    words = set(re.findall("[A-Z]+", position.upper()))
    lateral, frontal = bool(words & _LATERAL), bool(words & _FRONTAL)
    return None if lateral == frontal else "lateral" if lateral else "pa"


def turned_for(view: str, xray: Xray) -> Xray:
    """The X-ray with the turn that its PatientOrientation asks for, and with notes on what contradicts the view.

    Of views other than pa and lateral nothing is known: they stay as they are.
    """
    wanted = DIRECTIONS.get(view)
    notes = _position_notes(view, xray) if wanted else []
    if wanted and xray.directions:
        said = "PatientOrientation " + "\\".join(xray.directions)
        turn = turn_between(xray.directions, wanted)
        if turn is None:
            notes.append(f"{said} is not of a {_NAMES[view]} X-ray: is it another view? look at --preview")
        elif turn:
            step = f"{turn} by {said}"
            undo = f" (--flip {view} undoes it)" if turn.left_right and not (turn.transposed or turn.up_down) else ""
            xray = xray.did(step, step + undo, turn=turn)
    return replace(xray, notes=(*xray.notes, *map(printable, notes)))


def _position_notes(view: str, xray: Xray) -> list[str]:
    position, bedside = str(xray.facts.get("view") or ""), xray.facts.get("bedside")
    said, name = said_view(position), _NAMES[view]
    if said == view and "AP" in position.upper().split():
        return [f"ViewPosition {position}, given as {name}: {_from_the_front(view, xray)}"]
    if said == view or not position:
        return [f"{bedside}, given as {name}: {_from_the_front(view, xray)}"] if bedside and view == "pa" else []
    if said is None:
        return [f"ViewPosition {position[:40]}, given as {name}: look at --preview"]
    return [f"ViewPosition {position} is of a {_NAMES[said]} X-ray, and it is given as {name}: is it the other view?"]


def _from_the_front(view: str, xray: Xray) -> str:
    """What AP means; without a distance also how it is told."""
    near = "" if xray.facts.get("sid_mm") else f"; at the bedside from some 1,000 mm, --sid-mm {view}:MM"
    return f"taken from the front, so that the heart is larger{near}"
