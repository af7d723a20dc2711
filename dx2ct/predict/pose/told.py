"""What a network that judges films contradicts in what is said of one, in words, with the option that cures it.

A contradiction is a warning and changes nothing. Where its header says nothing a film is doubted from LIKELY on, its
side from SIDE on, where it says it from SURE on. docs/films.md has what these bounds do.
"""

import numpy as np

from dx2ct.predict.framing import Framing
from dx2ct.predict.pose.network import Pose
from dx2ct.predict.turn import AS_IT_IS, MIRRORED, QUARTERS, Turn

LIKELY, SURE = 0.9, 0.99
SIDE = {"pa": 0.85, "lateral": LIKELY}  # the heart's side is hard to see
CLEAR = 0.75  # how a film must seem to lie for its lungs to be measured
NO_CHEST = 0.65
ADULT_MM = (150.0, 350.0)  # of lungs, from the apex to the lowest recess
APART = 0.25  # of the larger: what a PA and a lateral film of one patient differ by at most
_INTENSITIES = "are they line integrals? of intensities I of I0 they are -log(I / I0)"
_NAMES = {"pa": "PA", "lateral": "lateral"}
_MIRRORED = {
    "pa": "its heart seems to lie at the image's left, mirrored or a heart on the right side",
    "lateral": "the front of the chest seems to be at the right",
}


def doubts(
    view: str, pose: Pose, how: Framing, *, is_said: bool = False, is_oriented: bool = False, is_film: bool = True
) -> list[str]:
    """What contradicts a film, given as `view` and framed so, one line each; none of other views than pa and lateral.

    is_said: its header says that it is of this view; is_oriented: how it lies. is_film: no line integrals, which
    --invert refuses.
    """
    if view not in _NAMES:
        return []
    if (share := pose.views["other"]) > NO_CHEST:
        return [_line("it does not look like a chest X-ray", share, "is it the right file?")]
    found = []
    if pose.negative > LIKELY:
        cure = f"leave --invert {view} out" if how.invert else f"--invert {view}" if is_film else _INTENSITIES
        found.append(_line("its bone looks dark", pose.negative, cure))
    other = "lateral" if view == "pa" else "pa"
    if (share := pose.views[other]) > (SURE if is_said else LIKELY):
        said = ", whatever its ViewPosition says" if is_said else ""
        return [*found, _line(f"it looks like a {_NAMES[other]} X-ray{said}", share, f"give it as --{other}")]
    return [*found, *_turned(view, pose, how, is_oriented)]


def _turned(view: str, pose: Pose, how: Framing, is_oriented: bool) -> list[str]:
    """Which way is up, and then whether it is mirrored: at most one line."""
    quarter = int(np.argmax(pose.up))
    if quarter and pose.up[quarter] <= (SURE if is_oriented else LIKELY):
        return []
    is_mirrored = pose.mirrored[view] > (SURE if is_oriented else SIDE[view])
    cure = _options(view, how.turn.then(QUARTERS[quarter]).then(MIRRORED if is_mirrored else AS_IT_IS))
    if quarter:
        what = "it looks upside down" if quarter == 2 else f"it seems to be turned by {360 - 90 * quarter} degrees"
        return [_line(what, pose.up[quarter], cure)]
    return [_line(_MIRRORED[view], pose.mirrored[view], cure)] if is_mirrored else []


def rotate_and_flip(turn: Turn) -> tuple[int, bool]:
    """The words of --rotate and --flip that make a turn."""
    for flip in (False, True):
        for number, quarter in enumerate(QUARTERS):
            if (quarter.then(MIRRORED) if flip else quarter) == turn:
                return 90 * number, flip
    raise AssertionError(f"{turn!r} is none of eight")


def _options(view: str, turn: Turn) -> str:
    degrees, flip = rotate_and_flip(turn)
    words = [f"--rotate {view}:{degrees}"] * bool(degrees) + [f"--flip {view}"] * flip
    return " ".join(words) or "leave --rotate and --flip out"


def _line(what: str, share: float, cure: str) -> str:
    return (
        f"{what} ({min(100 * share, 99.9):.3g} % sure, by a small network, at times wrong; look at --preview): {cure}"
    )


def lungs_mm(view: str, pose: Pose, height_mm: float) -> float | None:
    """Height of the lungs in a film that shows `height_mm` of the patient; None where it does not lie as it must."""
    if view not in _NAMES or pose.views[view] <= CLEAR or pose.up[0] <= CLEAR:
        return None
    above, below = pose.lungs
    return (below - above) * height_mm


def size_doubts(view: str, lungs: float | None, guessed: bool) -> list[str]:
    """One line for lungs that are no adult's, in mm; guessed: the film's scale is."""
    low, high = ADULT_MM
    if lungs is None or low <= lungs <= high:
        return []
    why = "its scale is a guess" if guessed else "a child, or a wrong scale"
    return [
        f"its lungs look {lungs:.0f} mm high, an adult's are {low:.0f} to {high:.0f}: {why} (--spacing-mm {view}:MM)"
    ]


def pair_doubts(lungs: dict[str, float]) -> list[str]:
    """One line where the lungs of a PA and a lateral film are of unlike heights."""
    if not {"pa", "lateral"} <= set(lungs):
        return []
    pa, lateral = lungs["pa"], lungs["lateral"]
    if abs(pa - lateral) <= APART * max(pa, lateral):
        return []
    return [
        f"the lungs look {pa:.0f} mm high in the PA X-ray and {lateral:.0f} mm in the lateral one: two patients, or a "
        "wrong scale of one (--spacing-mm VIEW:MM)"
    ]
