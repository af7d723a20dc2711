"""Formats of a run's settings.json: older ones are read as they were meant, newer ones are refused."""

from typing import Any

from drr.errors import InputError

FORMAT = 2


def upgraded(values: Any) -> dict[str, Any]:
    """Settings of any known format in the newest one, without its number; keys that are missing stay missing.

    Format 1 had no number; it knew model.xray_pixels of DX2CT, which was always equal to slices.size.
    Raises InputError for what is no object and for a newer format.
    """
    if not isinstance(values, dict):
        raise InputError("not the settings of a run")
    found = dict(values)
    number = found.pop("format", 1)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise InputError(f"format {number!r} is no format of a run's settings")
    if number > FORMAT:
        raise InputError(f"format {number} is newer than this program's, {FORMAT}: update dx2ct")
    if number == 1:
        found = _from_1(found)
    return found


def _from_1(values: dict[str, Any]) -> dict[str, Any]:
    model = values.get("model")
    if isinstance(model, dict) and "xray_pixels" in model:
        values["model"] = {key: value for key, value in model.items() if key != "xray_pixels"}
    return values
