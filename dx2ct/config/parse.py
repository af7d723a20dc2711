"""Values to sections and back, with one line for people about everything that is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import difflib
import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from drr.errors import InputError
from dx2ct.config.keys import BadKeyError, extra_of, fields_of
from dx2ct.config.walk import is_section, known_keys

T = TypeVar("T")
Path = tuple[str | int, ...]
_ADAPTERS: "dict[Any, TypeAdapter[Any]]" = {}
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument", "no_such_attribute")
_MISSING = ("missing", "missing_argument")


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


def adapter(kind: Any) -> "TypeAdapter[Any]":
    """The validator of a type, made once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def validated(kind: Callable[..., T], values: Any) -> T:
    """Plain values (dicts, lists, numbers, strings) as `kind`; raises SettingsError."""
    try:
        found: T = adapter(kind).validate_json(json.dumps(values))
        return found
    except ValidationError as error:
        raise SettingsError(_problems(kind, values, error)) from None
    except InputError as error:  # of a value that checks itself, as a cone beam does
        raise SettingsError([Problem((), str(error))]) from None
    except (TypeError, ValueError) as error:  # no JSON: a date, say
        raise SettingsError([Problem((), str(error))]) from None


def parse(kind: Callable[..., T], text: str, name: Callable[[Path], str] = dotted) -> T:
    """A section from JSON; InputError with one line naming each bad key. name: how a path is written."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(f"settings are no JSON ({error})") from None
    return checked(kind, values, name)


def checked(kind: Callable[..., T], values: Any, name: Callable[[Path], str] = dotted) -> T:
    """Plain values as `kind`; InputError with one line naming each bad key."""
    try:
        return validated(kind, values)
    except SettingsError as problems:
        raise InputError("; ".join(f"{name(one.path)}: {one.text}" for one in problems.found)) from None


def check(kind: Callable[..., T], **values: object) -> T:
    """The same of keywords, as those of a command line."""
    return checked(kind, values)


def plain(section: object) -> Any:
    """A section as dicts, lists, numbers and strings, every key said."""
    return adapter(type(section)).dump_python(section, mode="json")


def tracked(section: object) -> Any:
    """The same without the keys that mean what they meant before they existed.

    A new key therefore changes no settings of a run that does not use it, and nothing is computed again.
    """
    return _without_earlier(type(section), plain(section), section)


def _without_earlier(kind: Any, values: Any, section: object) -> Any:
    if not is_section(kind):
        return values
    kept = {}
    for name, info in fields_of(kind).items():
        value = getattr(section, name)
        extra = extra_of(info)
        if "earlier" in extra and values[name] == extra["earlier"]:
            continue
        kept[name] = _without_earlier(type(value), values[name], value)
    return kept


def to_json(values: Any) -> str:
    """One string that does not change when the YAML is reordered."""
    return json.dumps(values, sort_keys=True)


def with_earlier(kind: Any, values: Any) -> Any:
    """Values of an older run with the keys that did not exist then, as they behaved then."""
    if not is_section(kind) or not isinstance(values, Mapping):
        return values
    found = dict(values)
    for name, info in fields_of(kind).items():
        extra = extra_of(info)
        if name not in found and "earlier" in extra:
            found[name] = extra["earlier"]
        elif name in found and is_section(info.annotation):
            found[name] = with_earlier(info.annotation, found[name])
    return found


def missing_keys(kind: Any, values: Any, path: Path = ()) -> list[Path]:
    """Keys of a type that values do not say, at any depth."""
    if not is_section(kind) or not isinstance(values, Mapping):
        return []
    found: list[Path] = []
    for name, info in fields_of(kind).items():
        if name not in values:
            found.append((*path, name))
        else:
            found += missing_keys(info.annotation, values[name], (*path, name))
    return found


def _problems(kind: Any, values: Any, error: ValidationError) -> list[Problem]:
    """One for each path, the deepest: of a union pydantic reports every member."""
    by_path: dict[Path, list[str]] = {}
    for one in error.errors(include_url=False):
        path = _in_values(values, one["loc"])
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
    return [Problem(path, by_path[path][0]) for path in deepest]


def _in_values(values: Any, location: Sequence[str | int]) -> Path:
    """pydantic's location without the names of union members, which are no keys."""
    path: list[str | int] = []
    for i, step in enumerate(location):
        inside = (isinstance(values, dict) and step in values) or (isinstance(values, list) and isinstance(step, int))
        if inside:
            path.append(step)
            values = values[step]
        elif i + 1 == len(location) and isinstance(values, dict) and not _is_tag(step):
            path.append(step)
    return tuple(path)


def _is_tag(step: str | int) -> bool:
    return isinstance(step, str) and not step.replace("_", "").replace("-", "").isalnum()


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
    value = one.get("input")
    if one["type"] in _UNKNOWN:
        return "unknown key" + _suggestion(str(path[-1]) if path else "", known_keys(kind, one["loc"]))
    if one["type"] in _MISSING:
        return "missing"
    if one["type"] == "literal_error":
        return f"{value!r} is not one of {one['ctx']['expected']}"
    if one["type"] in ("int_type", "int_from_float"):
        return f"{value!r} is no integer"
    if one["type"] in ("float_type", "float_parsing"):
        return f"{value!r} is no number"
    if one["type"] == "too_short":
        return f"needs at least {one['ctx']['min_length']} of them"
    message = one["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{value!r}: {message}" if isinstance(value, str | int | float | bool | list) else message


def _suggestion(name: str, known: Sequence[str]) -> str:
    known = [one for one in known if one != name]
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f": did you mean {close[0]}?"
    return f" (known: {', '.join(known)})" if known else ""
