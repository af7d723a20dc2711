"""Configuration files as layers: each value keeps the file and the line that it is from.

A file stands alone over the defaults, or names with `base: FILE` the one that it is laid over. Of several files the
later is laid over the earlier: objects are merged key by key, everything else is replaced.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

import yaml

from drr.errors import InputError

MODULE = "the module's config"
KeyPath = tuple[str | int, ...]
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+")  # YAML 1.2; YAML 1.1, which PyYAML reads, wants 1.0e-3


@dataclass(frozen=True)
class Layer:
    """Values of one file, and the line that each key stands in."""

    name: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def origin(self, path: KeyPath) -> str:
        """FILE:LINE, of the command line its name."""
        line = self.lines.get(path)
        return f"{self.name}:{line}" if line else self.name


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number, and 2026-01-31 as the text that it is."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own name and kind)
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def read_layers(files: Sequence[Path | Mapping[str, Any]], root: Path) -> list[Layer]:
    """The files with their bases, lowest first; a base is looked for beside its file, then below `root`.

    Values that are given without a file have their base looked for in the working directory, then below `root`.
    """
    layers: list[Layer] = []
    seen: set[Path] = set()
    for file in files:
        for path, layer in reversed(list(_chain(file, root))):
            if path not in seen:
                seen.add(path)
                layers.append(Layer(layer.name, {k: v for k, v in layer.values.items() if k != "base"}, layer.lines))
    return layers


def command_line(values: Mapping[str, Any]) -> Layer:
    """What `--config KEY=VALUE` says."""
    return Layer("--config", _scalars(dict(values)), {})


def merged(layers: Sequence[Layer]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """The values of all layers, and where each is from: the last layer that says it or something in it."""
    values: dict[str, Any] = {}
    origins: dict[KeyPath, str] = {}
    for layer in layers:
        _lay_over(values, layer.values, layer, (), origins)
    return values, origins


def _lay_over(
    below: dict[str, Any], above: Mapping[str, Any], layer: Layer, path: KeyPath, origins: dict[KeyPath, str]
) -> None:
    for key, value in above.items():
        here = (*path, key)
        if key in below and not (isinstance(value, dict) and isinstance(below[key], dict)):
            for gone in [old for old in origins if old[: len(here)] == here]:
                del origins[gone]
            del below[key]
        origins[here] = layer.origin(here)
        if isinstance(value, dict):
            _lay_over(below.setdefault(key, {}), value, layer, here, origins)
        else:
            below[key] = value


def _chain(file: Path | Mapping[str, Any], root: Path) -> Iterator[tuple[Path, Layer]]:
    """A file, its base, the base of that ..., each with its resolved path."""
    seen: set[Path] = set()
    if isinstance(file, Mapping):
        layer = Layer(MODULE, _scalars(dict(file)), {})
        yield Path(MODULE), layer
        if (base := _base_of(layer, MODULE, Path(MODULE), root)) is None:
            return
        file = base
    while file.resolve() not in seen:
        seen.add(file.resolve())
        layer = _read(file)
        yield file.resolve(), layer
        if (base := _base_of(layer, _shown(file), file, root)) is None:
            return
        file = base
    raise InputError(f"{_shown(file)}: base: the files are laid over each other in a circle")


def _base_of(layer: Layer, name: str, file: Path, root: Path) -> Path | None:
    """The file that a layer is laid over; None where it stands alone."""
    base = layer.values.get("base")
    if base is None:
        return None
    if not isinstance(base, str):
        raise InputError(f"{name}: base: {base!r} is no file name")
    places = [place for place in (file.parent / base, root / base) if place.is_file()]
    # mine/config.yaml means the project's
    others = [place for place in places if not (file.exists() and place.samefile(file))]
    if not others:
        raise InputError(f"{name}: base: {base}: no other file of that name, neither beside it nor in {root}")
    return others[0]


def _read(path: Path) -> Layer:
    name = _shown(path)
    try:
        text = path.read_text(encoding="utf-8")
        node, values = yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: configuration cannot be read ({reason})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(f"{name}:{mark.line + 1 if mark else 1}: no YAML ({error.problem})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{name}: no YAML ({' '.join(str(error).split())})") from None
    if node is None:
        return Layer(name, {}, {})
    lines = dict(_lines(node, (), name))
    if not isinstance(values, dict):
        raise InputError(f"{name}: a configuration is keys and values, not a {type(values).__name__}")
    return Layer(name, values, lines)


def _shown(path: Path) -> str:
    """As a person would type it: from the working directory, where the file is below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _lines(node: yaml.Node, path: KeyPath, file: str) -> Iterator[tuple[KeyPath, int]]:
    """The line of every key; InputError for one that stands twice, of which YAML would take the last in silence."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise InputError(f"{file}:{line}: {key.value} stands in line {seen[key.value]} already: keep one")
            seen[key.value] = line
            yield (*path, key.value), line
            yield from _lines(value, (*path, key.value), file)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield (*path, number), item.start_mark.line + 1
            yield from _lines(item, (*path, number), file)


def _scalars(value: Any) -> Any:
    """Values of the command line, of which Snakemake leaves all but the topmost as text, read as in a file."""
    if isinstance(value, Mapping):
        return {key: _scalars(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_scalars(inner) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        read = yaml.load(value, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError:
        return value
    return read if read is None or isinstance(read, bool | int | float) else value
