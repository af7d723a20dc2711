"""One X-ray as a model is given it: the image, where it was taken, and what must be said of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.geometry import View
from dx2ct.predict.place import Place
from dx2ct.predict.pose.network import Pose
from dx2ct.predict.xray import Xray

DOMAIN_SHIFT = (
    "a film's grey values are in arbitrary units: percentiles 0.5 and 99.5 of each became 0 and 1, where the training "
    "had the smallest and the largest line integral. The network has seen rendered X-rays only: this is a domain shift:"
    " --model chest-films has learnt simulated films"
)
LEARNT_FILMS = (
    "a film's grey values are in arbitrary units: percentiles 0.5 and 99.5 of each became 0 and 1, as of the simulated "
    "films that the network has learnt. How well it does on real ones is not known"
)


@dataclass(frozen=True, eq=False)
class Framed:
    """One view: the X-ray, the image made of it (row, column), what the user should know of it.

    place: where it was taken; exposure: of the image, around the origin; None where a geometry is given apart. moved:
    pixels are not those that the training's exposure has. pose: how it seems to lie, None of arrays; lungs_mm: how high
    the lungs seem to be, None where nobody can tell.
    """

    xray: Xray
    image: NDArray[np.float32]
    notes: tuple[str, ...]
    moved: bool = False
    place: Place | None = None
    exposure: View | None = None
    pose: Pose | None = None
    lungs_mm: float | None = None


def as_array(view: str, given: Any) -> NDArray[np.float32]:
    """An array or a tensor of any device as it is; `checked_xrays` says what is wrong with it."""
    try:
        return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (TypeError, ValueError) as error:
        raise InputError(f"X-ray {view}: neither a file nor an array ({error})") from None


def are_integrals(xrays: Mapping[str, Framed]) -> bool:
    """True for line integrals of the training's beam, every pixel where it was."""
    return all(one.xray.kind == "integrals" and not one.moved for one in xrays.values())


def require_integrals(xrays: Mapping[str, Framed], who: str) -> None:
    """InputError for what is no line integral of the training's beam; who: needs them."""
    for view, one in xrays.items():
        if one.xray.kind != "integrals" or one.moved:
            why = (
                "was cropped, turned or padded, or taken in another geometry"
                if one.xray.kind == "integrals"
                else "is a film: its grey has no unit"
            )
            raise InputError(f"{one.xray.name}: {who} needs the line integrals of the {view} view, this {why}")
