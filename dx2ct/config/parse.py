"""Values to sections and back, with one line for people about everything that is wrong."""

from collections.abc import Callable, Mapping
import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from drr.errors import InputError
from dx2ct.config.keys import extra_of, fields_of
from dx2ct.config.problems import dotted, Path, Problem, problems_in, SettingsError
from dx2ct.config.walk import is_section

T = TypeVar("T")
_ADAPTERS: "dict[Any, TypeAdapter[Any]]" = {}


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
        raise SettingsError(problems_in(kind, values, error)) from None
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
    """A section as dicts, lists, numbers and strings, every key in it."""
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
