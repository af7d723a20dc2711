"""Settings of runs outlive versions: a key that did not exist yet means what was done then.

The laws hold for every key of every method, so a new key is tested by being one.
"""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import pytest

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import Rotation, tracked
from dx2ct.config.keys import extra_of, fields_of
from dx2ct.config.parse import plain, validated, with_earlier
from dx2ct.config.walk import is_section
from dx2ct.methods import methods
from dx2ct.methods.saved import read_run, to_text
from tests.fabricate import tiny

KeyPath = tuple[str, ...]


def keys_of(section: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, bool]]:
    """Every key of a section's type at any depth, and whether it has an earlier value."""
    for name, info in fields_of(section).items():
        yield (*path, name), "earlier" in extra_of(info)
        if is_section(info.annotation):
            yield from keys_of(info.annotation, (*path, name))


def as_word(value: Any) -> str:
    """A parameter in a test's name."""
    return value if isinstance(value, str) else ".".join(value)


ALL = [(name, path, young) for name, method in methods().items() for path, young in keys_of(method.settings)]
YOUNG = [(name, path) for name, path, young in ALL if young]
OLD = [(name, path) for name, path, young in ALL if not young]


def inside(values: Any, path: KeyPath) -> Any:
    for step in path:
        values = values[step]
    return values


def has(values: Any, path: KeyPath) -> bool:
    """False also where a part of the path is missing."""
    for step in path:
        if step not in values:
            return False
        values = values[step]
    return True


def written(folder: Path, values: Any) -> Path:
    layout.settings(folder).write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("name", "path"), YOUNG, ids=lambda value: value if isinstance(value, str) else ".".join(value)
)
def test_a_run_without_a_younger_key_means_what_was_done_before_there_was_one(
    name: str, path: KeyPath, tmp_path: Path
) -> None:
    kind: Any = methods()[name].settings
    for step in path[:-1]:
        kind = fields_of(kind)[step].annotation
    earlier = extra_of(fields_of(kind)[path[-1]])["earlier"]
    values = json.loads(to_text(tiny(name)))
    inside(values, path[:-1])[path[-1]] = earlier
    _, as_then = read_run(written(tmp_path, values))
    del inside(values, path[:-1])[path[-1]]
    assert read_run(written(tmp_path, values))[1] == as_then
    assert not has(tracked(as_then), path), "it changes no settings of a run that does not use it"
    assert inside(plain(as_then), path) == earlier


@pytest.mark.parametrize(("name", "path"), OLD, ids=as_word)
def test_a_run_without_a_key_that_was_always_there_is_one_line(name: str, path: KeyPath, tmp_path: Path) -> None:
    values = json.loads(to_text(tiny(name)))
    del inside(values, path[:-1])[path[-1]]
    nameless = path in (("run",), ("run", "method"))
    message = r"names no run\.method" if nameless else rf"{'.'.join(path)} is missing"
    with pytest.raises(InputError, match=rf"settings\.json: {message}") as caught:
        read_run(written(tmp_path, values))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", methods())
def test_what_is_tracked_is_the_settings(name: str) -> None:
    settings = tiny(name)
    kind = methods()[name].settings
    assert validated(kind, with_earlier(kind, tracked(settings))) == settings
    assert validated(kind, plain(settings)) == settings


@pytest.mark.parametrize(
    ("path", "sections"),
    [
        (("train", "beta1"), {"train": {"beta1": 0.8}}),
        (("train", "weight_decay"), {"train": {"weight_decay": 0.1}}),
        (("run", "conditions"), {"run": {"conditions": "lifted"}}),
        (("xray", "views"), {"run": {"views": ["pa", "oblique"]}, "xray": {"views": {"oblique": {"gantry": 45.0}}}}),
    ],
    ids=as_word,
)
def test_a_younger_key_at_another_value_is_tracked(path: KeyPath, sections: dict[str, Any], tmp_path: Path) -> None:
    settings = tiny("dx2ct", **sections)
    assert inside(tracked(settings), path) == inside(plain(settings), path)
    assert read_run(written(tmp_path, json.loads(to_text(settings))))[1] == settings


def test_views_of_a_run_are_those_that_it_sees() -> None:
    """Another exposure of the configuration changes no run that does not see it."""
    settings = tiny("dx2ct", {"views": ["oblique"]})
    assert settings.xray.views == {"oblique": Rotation(gantry=45.0, tilt=10.0)}
