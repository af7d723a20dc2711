"""Settings of every method, small enough for a test: those of workflow/config/smoke.yaml with what a test changes."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dx2ct.config import check, plain, Rotation, SamplingOptions, XraySettings
from dx2ct.config.data import Exposure
from dx2ct.config.keys import fields_of
from dx2ct.methods import method_named
from dx2ct.methods.saved import settings_as
from dx2ct.planning.resolve import resolve, Resolved

ROOT = Path(__file__).resolve().parents[2]
SIZE = 32  # voxels a side, as in the smoke configuration
BOTH = ("pa", "lateral")
VIEWS: dict[str, Exposure] = {"pa": "pa", "lateral": "lateral", "oblique": Rotation(gantry=45.0, tilt=10.0)}
ROWS: dict[str, dict[str, Any]] = {  # what a row needs or, left to its default, would be too much for a test
    "dx2ct": {"prediction": "x0"},
    "backprojection": {"pixels": 32},
    "sart": {"pixels": 32, "iterations": 2},
    "volumes": {"path": "/nowhere/{scan}.nii.gz"},
}
LIFTED = {"widths": [8] * 5, "bins": [1, 1, 2, 2, 2], "channels": [2] * 5, "conditions": [4] * 5}
NO_VALIDATION = {"every": 0, "patience": 0, "keep": "last"}
FEW = {"steps": 2, "accumulate": 1}


@cache
def smoke() -> Resolved:
    """The smoke configuration."""
    return resolve([ROOT / "workflow/config/smoke.yaml"], ROOT)


def xray_settings(views: Mapping[str, Exposure] | None = None) -> XraySettings:
    """The smoke configuration's X-rays of 64 pixels a side, by default of VIEWS."""
    xray = smoke().config.xray
    return XraySettings(xray.geometry, xray.attenuation, dict(views or VIEWS), xray.version)


def plain_values(method: str = "dx2ct", row: Mapping[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    """The settings of a run, not yet checked.

    row: keys of its row. sections: keys, at any depth, of run settings' sections (train={"steps": 3}). There are two
    steps and no validation unless `train` says otherwise.
    """
    kind, config = method_named(method), smoke().config
    values: dict[str, Any] = {"run": {"method": method} | ROWS.get(method, {}) | dict(row or {})}
    values |= {name: plain(getattr(config, name)) for name in ("volume", "slices")}
    for name in kind.sections:
        values[name] = plain(getattr(getattr(config.methods, method), name))
    if kind.looks_at_xrays:
        names = values["run"].get("views") or fields_of(kind.row)["views"].default
        values["xray"] = plain(xray_settings({name: VIEWS[name] for name in names if name in VIEWS}))
    if method == "dx2ct":
        values["model"]["lift"] = dict(LIFTED)  # the smoke configuration has no row with lifted conditions
    if kind.learns:
        values["train"]["validation"] |= NO_VALIDATION
        values["train"] |= FEW
    return _over(values, sections)


def tiny(method: str = "dx2ct", row: Mapping[str, Any] | None = None, **sections: Any) -> Any:
    """The same as the method's settings; InputError for what does not fit together."""
    return settings_as(method_named(method), plain_values(method, row, **sections), "RUN")


def options(**changes: Any) -> SamplingOptions:
    """The paper's way to sample, in two steps."""
    return check(SamplingOptions, **{"steps": 2} | changes)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        deeper = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if deeper else value
    return merged
