"""What is wrong with values, in one line a key for people: pydantic's findings in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import difflib
import json
from typing import Any

from pydantic import ValidationError

from dx2ct.config.keys import BadKeyError
from dx2ct.config.walk import known_keys

Path = tuple[str | int, ...]
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument", "no_such_attribute")
_WORDS = {
    "literal_error": "is not one of {expected}",
    "int_type": "is no integer",
    "int_from_float": "is no integer",
    "float_type": "is no number",
    "finite_number": "is no finite number",
    "bool_type": "is not true or false",
    "string_type": "is no text",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "does not match {pattern}",
    "tuple_type": "is no list",
    "dict_type": "is no section of keys and values",
    "dataclass_type": "is no section of keys and values",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with the value at a path."""

    path: Path
    text: str


class SettingsError(Exception):
    """Everything that is wrong with some values."""

    def __init__(self, found: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{dotted(one.path)}: {one.text}" for one in found))
        self.found = found


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: methods.dx2ct.train.steps."""
    return ".".join(map(str, path)) or "settings"


def problems_in(kind: Any, values: Any, error: ValidationError) -> list[Problem]:
    """One for each path, the deepest: of a union pydantic reports every member."""
    by_path: dict[Path, list[str]] = {}
    for one in error.errors(include_url=False):
        path = _in_values(values, one["loc"], lacks=one["type"] == "missing")
        cause = one.get("ctx", {}).get("error")
        if isinstance(cause, BadKeyError):
            path, text = (*path, *cause.key.split(".")), cause.problem
        else:
            path, text = _path_and_text(kind, path, one)
        if text not in by_path.setdefault(path, []):
            by_path[path].append(text)
    deepest = [
        path for path in by_path if not any(len(other) > len(path) and other[: len(path)] == path for other in by_path)
    ]
    return [Problem(path, " and ".join(by_path[path])) for path in deepest]


def _in_values(values: Any, location: Sequence[str | int], lacks: bool) -> Path:
    """pydantic's location without the names of union members, which are no keys; lacks: its last step is not there."""
    path: list[str | int] = []
    for step in location[: len(location) - lacks]:
        if _holds(values, step):
            path.append(step)
            values = values[step]
    return (*path, location[-1]) if lacks else tuple(path)


def _holds(values: Any, step: str | int) -> bool:
    if isinstance(values, list):
        return isinstance(step, int) and step < len(values)
    return isinstance(values, dict) and step in values


def _path_and_text(kind: Any, path: Path, one: Any) -> tuple[Path, str]:
    """Of a row or source whose kind is unknown the key that names it."""
    named = {"_kind_of_row()": "method"}.get(one.get("ctx", {}).get("discriminator", ""), "kind")
    if one["type"] == "union_tag_not_found":
        return (*path, named), "missing"
    if one["type"] == "union_tag_invalid":
        known = one["ctx"]["expected_tags"].replace("'", "").split(", ")
        names = [name for name in known if " " not in name]  # no name of a method: the tag of a row without one
        return (*path, named), f"{one['ctx']['tag']!r} is unknown" + _suggestion(one["ctx"]["tag"], names)
    return path, _text(kind, path, one)


def _text(kind: Any, path: Path, one: Any) -> str:
    value, context = one.get("input"), one.get("ctx", {})
    if one["type"] in _UNKNOWN:
        return "unknown key" + _suggestion(str(path[-1]) if path else "", known_keys(kind, one["loc"]))
    if one["type"] == "missing":
        return "missing"
    if one["type"] == "too_short":
        return f"needs at least {context['min_length']} of them"
    if one["type"] in _WORDS:
        shown = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
        return f"{shown} {_WORDS[one['type']].format(**context)}"
    message = str(one["msg"]).removeprefix("Value error, ")
    return message if isinstance(value, Mapping) else f"{value!r}: {message}"


def _suggestion(name: str, known: Sequence[str]) -> str:
    known = [one for one in known if one != name]
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f": did you mean {close[0]}?"
    return f" (known: {', '.join(known)})" if known else ""
