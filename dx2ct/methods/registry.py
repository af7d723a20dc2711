"""Every method by the name that a row of `runs:` gives it."""

import json
from typing import cast

from drr.errors import InputError
from dx2ct.methods import mean
from dx2ct.methods.base import Method
from dx2ct.methods.classical import method as classical
from dx2ct.methods.cnn2d import network as cnn2d
from dx2ct.methods.dx2ct import method as dx2ct_method
from dx2ct.methods.perx2ct import network as perx2ct
from dx2ct.methods.x2ctgan import network as x2ctgan

METHODS: dict[str, object] = {
    "dx2ct": dx2ct_method,
    "cnn2d": cnn2d.METHOD,
    "x2ctgan": x2ctgan.METHOD,
    "perx2ct": perx2ct.METHOD,
    "backprojection": classical,
    "sart": classical,
    "mean": mean,
}


def method_of(settings: str) -> Method:
    """The method that the settings name."""
    try:
        name = json.loads(settings)["run"]["method"]
    except (ValueError, KeyError, TypeError):
        raise InputError("settings name no run.method") from None
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; known: {', '.join(METHODS)}")
    return cast(Method, METHODS[name])
