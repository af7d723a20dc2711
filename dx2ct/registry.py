"""Every method by the name that a row of `runs:` gives it."""

import json
from typing import cast

from drr.errors import InputError
from dx2ct import dx2ct_method
from dx2ct.baselines import classical, cnn2d, mean, perx2ct, x2ctgan
from dx2ct.methods import Method

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
