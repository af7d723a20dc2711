"""A section's type as a tree: which keys it has, at any depth."""

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, Union

from pydantic import Tag
from pydantic.fields import FieldInfo

from dx2ct.config.keys import extra_of, fields_of


def is_section(kind: Any) -> bool:
    """True for a type that has keys."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_fields__")


def sections_in(kind: Any) -> Iterator[type]:
    """The types with keys that a key's type allows: of a union each of its members."""
    if get_origin(kind) is Annotated:
        yield from sections_in(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from sections_in(member)
    elif isinstance(kind, type) and is_dataclass(kind):
        yield kind


def keys(section: type) -> dict[str, FieldInfo]:
    """The keys that a file may set."""
    return {name: info for name, info in fields_of(section).items() if not extra_of(info).get("internal")}


def default_of(info: FieldInfo) -> Any:
    """The default; InputError is never raised: a key without one gives PydanticUndefined."""
    return info.get_default(call_default_factory=True, validated_data={})


def known_keys(kind: Any, location: Sequence[str | int]) -> list[str]:
    """Names of the keys beside the last step of a location as pydantic gives it: with the names of unions' members."""
    for step in location[:-1]:
        kind = _into(kind, step)
    return sorted({name for section in sections_in(kind) for name in _names(section)})


def _into(kind: Any, step: str | int) -> Any:
    """The type that a step leads to; the same where it names a member of a union that is not told apart here."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _into(arguments[0], step)
    if origin in (Union, UnionType):
        return next((member for member in arguments if step in _names_of_member(member)), kind)
    if origin is dict:
        return arguments[1]
    if origin is tuple:
        return arguments[0]
    return fields_of(kind)[str(step)].annotation if is_section(kind) and step in fields_of(kind) else kind


def _names_of_member(member: Any) -> list[str]:
    tags = [note.tag for note in getattr(member, "__metadata__", ()) if isinstance(note, Tag)]
    return tags or [getattr(member, "__name__", "")]


def _names(section: type) -> list[str]:
    if is_section(section):
        return list(keys(section))
    return list(getattr(section, "__dataclass_fields__", {}))
