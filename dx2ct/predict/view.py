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
    notes = _position_notes(view, str(xray.facts.get("view") or "")) if wanted else []
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


def _position_notes(view: str, position: str) -> list[str]:
    said, name = said_view(position), _NAMES[view]
    if not position or (said == view and "AP" not in position.upper().split()):
        return []
    if said == view:
        return [f"ViewPosition {position}, given as {name}: taken from the front, so that the heart is larger"]
    if said is None:
        return [f"ViewPosition {position[:40]}, given as {name}: look at --preview"]
    return [f"ViewPosition {position} is of a {_NAMES[said]} X-ray, and it is given as {name}: is it the other view?"]
