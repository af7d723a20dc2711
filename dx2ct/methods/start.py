"""Trainings that begin with the weights of another one: where these lie, and what must be the same of both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import plain, RunSettings
from dx2ct.config.keys import BadKeyError
from dx2ct.methods import method_named
from dx2ct.methods.saved import read_run, require_weights

OF_ROWS = ("run.over", "run.seeds", "run.folds")  # what they say is in the settings themselves


def is_folder(start: str) -> bool:
    """True for a path, False for the name of a run."""
    return "/" in start


def start_folder(settings: RunSettings, output: Path, said: Path | None = None) -> Path | None:
    """The folder that a training into `output` starts from, None for one that does not: `said`, or by train.start_from.

    There a path is a path, and another run lies beside `output`.
    """
    start = getattr(getattr(settings, "train", None), "start_from", None)
    if start is None:
        if said:
            raise InputError(f"--start-from {said}: the settings say nothing of train.start_from: leave it out")
        return None
    return said or (Path(start) if is_folder(start) else output.parent / start)


def require_start(settings: RunSettings, folder: Path) -> None:
    """InputError, naming the file and the first key, for a folder whose weights a training cannot start from."""
    _, source = read_run(folder)
    require_weights(folder)
    try:
        require_alike(settings, source, str(layout.settings(folder)))
    except BadKeyError as error:
        raise InputError(str(error)) from None


def require_alike(settings: RunSettings, source: RunSettings, name: str) -> None:
    """BadKeyError, naming the first key, where the weights of a source would mean something else here.

    name: of the source, for people. Of the grid voxels and width count, of the X-rays the views and their order:
    another geometry or attenuation is what a training may get used to, as it does to other scans.
    """
    for key, mine, theirs in _pairs(settings, source):
        if mine != theirs:
            raise BadKeyError(key, f"{_shown(mine)}, but {_shown(theirs)} in {name}, which it starts from")


def _pairs(settings: RunSettings, source: RunSettings) -> Iterator[tuple[str, Any, Any]]:
    """Each key that must be the same, with its value and the source's."""
    yield "run.method", settings.run.method, source.run.method
    yield "slices.size", settings.slices.size, source.slices.size
    mine, theirs = (f"a cube of {one.volume.side_mm:g} mm" for one in (settings, source))
    yield "volume", mine, theirs
    method = method_named(settings.run.method)
    free = (*OF_ROWS, *method.may_change)
    for part in ("run", *(name for name in method.sections if name != "train")):
        mine_in, theirs_in = (_leaves(plain(getattr(one.relevant(), part)), part) for one in (settings, source))
        for key, value in mine_in.items():
            if key not in free:
                yield key, value, theirs_in.get(key)


def _leaves(value: Any, path: str) -> dict[str, Any]:
    """All values that are no sections, by their dotted paths."""
    if not isinstance(value, dict):
        return {path: value}
    return {key: leaf for name in value for key, leaf in _leaves(value[name], f"{path}.{name}").items()}


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
