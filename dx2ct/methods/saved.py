"""The files of a finished run: its weights and the settings that they belong to, read and written in one place."""

from collections.abc import Callable, Mapping
from hashlib import sha256
import json
from pathlib import Path
from typing import Any, TypeVar

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.config import plain, RunSettings
from dx2ct.config.formats import FORMAT, upgraded
from dx2ct.config.parse import missing_keys, validated, with_earlier
from dx2ct.config.problems import dotted, SettingsError
from dx2ct.config.problems import Path as KeyPath
from dx2ct.methods import method_named
from dx2ct.methods.base import Method, SHARED

T = TypeVar("T")


def write_run(weights: bytes, settings: RunSettings, output: Path) -> None:
    """Leave what makes a run finished: its weights (safetensors), then its settings.

    Raises InputError where a newer training owns the folder.
    """
    from dx2ct.training.owner import require_owner

    with replacing(layout.weights(output)) as part:
        part.write_bytes(weights)
        require_owner(output)
    with replacing(layout.settings(output)) as part:
        part.write_text(to_text(settings))
        require_owner(output)


def to_text(settings: RunSettings) -> str:
    """A run's settings as they are kept: every key, and the number of the format."""
    return json.dumps({"format": FORMAT} | plain(settings), sort_keys=True, indent=2) + "\n"


def parse_run(text: str) -> tuple[Method, Any]:
    """The method and the settings of a run that is to be trained, from JSON; keys that are missing have their defaults.

    Raises InputError, one line naming each bad key as the configuration does.
    """
    values = upgraded(_json(text))
    method = _method(values)
    return method, settings_as(method, values, "RUN")


def settings_as(method: Method, values: Any, run: str, over: Mapping[str, Any] | None = None) -> Any:
    """Plain values as the method's settings; InputError names keys by their path in the configuration.

    over: what the run's row lays over the method's sections.
    """
    try:
        return validated(method.settings, values)
    except SettingsError as problems:
        found = (f"{dotted(place_of(method, run, one.path, over or {}))}: {one.text}" for one in problems.found)
        raise InputError("; ".join(found)) from None


def place_of(method: Method, run: str, path: KeyPath, over: Mapping[str, Any]) -> KeyPath:
    """Where a key of a run's settings stands in the configuration."""
    inside: Any = over
    for step in path:
        inside = inside.get(step) if isinstance(inside, Mapping) else None
    if path and inside is not None:
        return ("runs", run, "over", *path)
    if path and path[0] == "run":
        return ("runs", run, *path[1:])
    return ("methods", method.name, *path) if path and path[0] not in SHARED else path


def read_run(run: Path) -> tuple[Method, Any]:
    """The method and the settings of a finished run of any format so far; keys that are missing as they were meant.

    Raises InputError, naming the file, where there is none, for a newer format and for an unknown method.
    """
    path = layout.settings(run)
    try:
        values = upgraded(_json(path.read_text(encoding="utf-8")))
        method = _method(values)
        values = with_earlier(method.settings, values)
        if missing := missing_keys(method.settings, values):
            raise InputError(f"{dotted(missing[0])} is missing")
        return method, validated(method.settings, values)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: no trained run here ({reason}): train it first") from None
    except (InputError, SettingsError) as error:
        raise InputError(f"{path}: {error}") from None


def require_weights(run: Path) -> Path:
    """The run's file of weights; InputError where the run is not finished."""
    path = layout.weights(run)
    if layout.folds(run).is_file():
        raise InputError(f"{run}: has weights for each of its folds and none of its own: take {run}_FOLD")
    if not path.is_file():
        raise InputError(f"{path}: missing: the run is not finished, train it first")
    return path


def read_weights(run: Path, load: Callable[[Path], dict[str, T]]) -> dict[str, T]:
    """A run's weights by name; load: safetensors' reader of tensors or of arrays. InputError for a damaged file."""
    from safetensors import SafetensorError

    path = require_weights(run)
    try:
        return load(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{path}: damaged weights ({str(error).splitlines()[0]}): copy the run again") from None


def read_metadata(run: Path) -> dict[str, str]:
    """What the file of a run's weights says beside its values; InputError as of `read_weights`."""
    from safetensors import safe_open

    def metadata(path: Path) -> dict[str, str]:
        with safe_open(path, "np") as file:
            return dict(file.metadata() or {})

    return read_weights(run, metadata)


def read_arrays(run: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Arrays of a run's weights by name; InputError where one is missing or of another shape."""
    from safetensors.numpy import load_file

    found = read_weights(run, load_file)
    for name, shape in shapes.items():
        if name not in found or found[name].shape != shape:
            what = f"{name} is {found[name].shape} instead of {shape}" if name in found else f"{name} is missing"
            raise InputError(f"{layout.weights(run)}: not the weights of these settings ({what}): train it again")
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"settings are no JSON ({error})") from None


def _method(values: dict[str, Any]) -> Method:
    row = values.get("run")
    name = row.get("method") if isinstance(row, dict) else None
    if not isinstance(name, str):
        raise InputError("names no run.method: not the settings of a run")
    return method_named(name)


def weights_digest(run: Path) -> str:
    """SHA-256 of a run's weights; InputError where there are none."""
    path = layout.weights(run)
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: no weights of a trained run ({error.strerror}): run the train stage") from None
