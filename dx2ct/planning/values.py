"""Values of a configuration laid over each other, and faults with the place that they stand at."""

from collections.abc import Mapping
from typing import Any

from drr.errors import InputError
from dx2ct.config.problems import Problem, SettingsError
from dx2ct.planning.layers import KeyPath


def laid_over(section: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A section with some of its values, at any depth, replaced."""
    deeper = {key for key, value in changes.items() if isinstance(value, dict) and isinstance(section.get(key), dict)}
    return dict(section) | {
        key: laid_over(section[key], changes[key]) if key in deeper else changes[key] for key in changes
    }


def fault(path: KeyPath, text: str) -> SettingsError:
    """One fault."""
    return SettingsError([Problem(path, text)])


def fault_of(error: InputError) -> SettingsError:
    """The same of an error that names its key first, as the settings of a run do."""
    key, _, text = str(error).partition(": ")
    return fault(tuple(key.split(".")), text)


def origin_of(path: KeyPath, origins: Mapping[KeyPath, str]) -> str:
    """Where a key or, failing that, what it lies in is from; empty for a default."""
    for end in range(len(path), 0, -1):
        if path[:end] in origins:
            return origins[path[:end]]
    return ""
