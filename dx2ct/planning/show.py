"""A resolved configuration as YAML, with where each value is from."""

from collections.abc import Iterator
import json
from typing import Any

from dx2ct.config import plain
from dx2ct.config.keys import extra_of
from dx2ct.config.walk import is_section, keys
from dx2ct.planning.layers import KeyPath
from dx2ct.planning.resolved import Resolved
from dx2ct.planning.values import origin_of


def to_yaml(found: Resolved) -> str:
    """Every key with its value and, as a comment, where that is from: FILE:LINE, or default and its source."""
    return "\n".join(_lines(found, found.config, plain(found.config), (), 0)) + "\n"


def _lines(found: Resolved, section: Any, values: Any, path: KeyPath, depth: int) -> Iterator[str]:
    for name, info in keys(type(section)).items():
        here, value = (*path, name), values[name]
        if is_section(type(getattr(section, name))):
            yield f"{'  ' * depth}{name}:"
            yield from _lines(found, getattr(section, name), value, here, depth + 1)
        elif here == ("runs",):
            yield f"{name}:"
            for run, row in value.items():
                yield _line(found, run, row, (*here, run), "", 1)
        else:
            yield _line(found, name, value, here, str(extra_of(info).get("source", "")), depth)


def _line(found: Resolved, name: str, value: Any, path: KeyPath, source: str, depth: int) -> str:
    """A key in one line; below `runs` a row is where its name is."""
    origin = found.origins.get(path) or (origin_of(path, found.origins) if path[0] == "runs" else "")
    if not origin:
        origin = f"default, {source.removeprefix('default: ')}" if source else "default"
    return f"{'  ' * depth}{name}: {json.dumps(value, ensure_ascii=False)}  # {origin}"
