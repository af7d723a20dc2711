"""A section's type as a tree: which keys it has, at any depth."""

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, Union

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


def known_keys(kind: Any, path: Sequence[str | int]) -> list[str]:
    """Names of the keys beside the last one of a path; empty where the type knows none."""
    kinds = list(sections_in(kind))
    if len(path) <= 1:
        return sorted({name for one in kinds for name in _names(one)})
    head, rest = path[0], path[1:]
    for one in kinds:
        if is_section(one) and head in fields_of(one):
            return known_keys(_inner(fields_of(one)[str(head)].annotation, rest), _after_container(one, head, rest))
    return []


def _names(section: type) -> list[str]:
    if is_section(section):
        return list(keys(section))
    return list(getattr(section, "__dataclass_fields__", {}))


def _container(kind: Any) -> Any:
    """What a dict or a tuple holds; None for anything else."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _container(arguments[0])
    if origin is dict:
        return arguments[1]
    return arguments[0] if origin is tuple else None


def _inner(kind: Any, rest: Sequence[str | int]) -> Any:
    inside = _container(kind)
    return kind if inside is None else inside


def _after_container(section: type, head: str | int, rest: Sequence[str | int]) -> Sequence[str | int]:
    inside = _container(fields_of(section)[str(head)].annotation)
    return rest if inside is None else rest[1:]
