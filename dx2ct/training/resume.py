"""The files that a killed training goes on from: the newest state and the one before it.

Both are tensors and plain values in PyTorch's zip format, read with weights_only, so a file can not run code.
"""

import json
from pathlib import Path
import pickle
from typing import Any
import zipfile

import torch

from drr.files import replacing
from dx2ct import layout
from dx2ct.training.distributed import say
from dx2ct.training.owner import require_owner

STATE, OLDER = layout.STATES

_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile)


def save_state(state: dict[str, Any], folder: Path) -> None:
    """Write a state, whole or not at all; the one that was the newest becomes the older one.

    Raises InputError where a newer training owns the folder.
    """
    with replacing(folder / STATE) as part:
        torch.save(state, part)
        require_owner(folder)
        if (folder / STATE).exists():
            (folder / STATE).replace(folder / OLDER)


def load_state(folder: Path, identity: str) -> dict[str, Any] | None:
    """The newest undamaged state of the same identity; None, with a line that says why, where a state is not used."""
    damaged = False
    for path in layout.states(folder):
        if not path.is_file():
            continue
        try:
            state = _read(path)
        except _DAMAGED as error:
            say(f"{path}: damaged ({str(error).partition(chr(10))[0]}), looking for an older state")
            damaged = True
            continue
        if state["identity"] != identity:
            what = _differences(state["identity"], identity)
            say(f"{path}: written for other {what}, training starts anew")
            return None
        return state | {"path": str(path)}
    if damaged:
        say(f"{folder}: no state is whole, training starts anew")
    return None


def sweep(folder: Path) -> None:
    """Delete what a process that was killed while it wrote a state has left: each is as large as a state."""
    for part in folder.glob(f".{Path(STATE).stem}.*"):
        part.unlink(missing_ok=True)


def forget_finished(folder: Path) -> None:
    """Delete the states that a finished run replaces; those of a newer training, interrupted since, are left.

    A finished training writes its last state before its weights, so a state that is younger belongs to another one.
    """
    try:
        finished = layout.weights(folder).stat().st_mtime_ns
    except OSError:
        return
    for path in layout.states(folder):
        if path.is_file() and path.stat().st_mtime_ns <= finished:
            path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """Raises one of _DAMAGED. PyTorch does not look at the checksums of its zip, so zipfile does."""
    with zipfile.ZipFile(path) as archive:
        if bad := archive.testzip():
            raise ValueError(f"checksum of {bad}")
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if "identity" not in state:
        raise ValueError("not a state of a training")
    return state


def _differences(old: str, new: str) -> str:
    """Names of the keys in which two identities differ, for people."""
    try:
        before, after = _leaves(json.loads(old)), _leaves(json.loads(new))
    except ValueError:
        return "settings or scans"
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    names = [key.removeprefix("settings.") for key in keys]
    return "scans" if names == ["data"] else f"settings or scans ({', '.join(names)})"


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key in value for k, v in _leaves(value[key], f"{path}.{key}".lstrip(".")).items()}
