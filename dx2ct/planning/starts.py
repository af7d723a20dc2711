"""Whether train.start_from of a row can be meant: a run that is trained first, of the same method and network."""

from typing import Any

from drr.errors import InputError
from dx2ct.config import DerivedRow
from dx2ct.config.keys import BadKeyError
from dx2ct.methods import method_named
from dx2ct.methods.saved import place_of
from dx2ct.methods.start import is_folder, require_alike
from dx2ct.planning.layers import KeyPath
from dx2ct.planning.repeats import folds_of, names_of, seeds_of, start_of
from dx2ct.planning.resolved import Resolved
from dx2ct.planning.tree import Config
from dx2ct.planning.values import fault


def start_place(config: Config, run: str) -> KeyPath:
    """Where a row's train.start_from stands: in the row, or in the section of its method."""
    row = config.runs[run]
    return place_of(method_named(row.method), run, ("train", "start_from"), row.over)


def check_start(found: Resolved, run: str) -> None:
    """Raise SettingsError for the name of a run that a row cannot start from."""
    config = found.config
    if isinstance(config.runs[run], DerivedRow):
        return
    asked = start_of(config, run)
    if not isinstance(asked, str) or not asked or is_folder(asked):  # what is no name the settings refuse
        return
    if problem := _problem(config, run, asked):
        raise fault(start_place(config, run), problem)


def check_start_settings(found: Resolved, run: str) -> None:
    """Raise SettingsError where a reported run starts from one of another network or grid."""
    config = found.config
    if isinstance(config.runs[run], DerivedRow):
        run = config.runs[run].weights_of
    asked = start_of(config, run)
    if asked is None or is_folder(asked):
        return
    row, source = config.runs[run], _owner(config, asked)
    assert source is not None, "check_start found one"
    try:
        require_alike(found.settings(run), found.settings(source), asked)
    except BadKeyError as error:
        raise fault(
            place_of(method_named(row.method), run, tuple(error.key.split(".")), row.over), error.problem
        ) from None
    except InputError as error:
        raise fault(start_place(config, run), f"{asked}: {error}") from None


def _owner(config: Config, name: str) -> str | None:
    """The row that a name of a run or of one of its trainings is of."""
    return next((run for run in config.runs if name in names_of(config, run)), None)


def _problem(config: Config, run: str, asked: str) -> str:
    source = _owner(config, asked)
    if source is None:
        return f"{asked} is not a run ({', '.join(config.runs)}); a model's folder is written with a slash, ./{asked}"
    if source == run:
        return f"{run} would start from itself: name another run, or in its row over: {{train: {{start_from: null}}}}"
    row: Any = config.runs[source]
    if isinstance(row, DerivedRow):
        return f"{asked} has the weights of {row.weights_of}: start from that"
    if row.method != config.runs[run].method:
        return f"{asked} is of method {row.method}, {run} of {config.runs[run].method}"
    if (before := start_of(config, source)) is not None:
        return f"{asked} starts from {before} itself: start from that, or from the folder of a finished run"
    return _unmatched(config, run, asked) if asked == source else ""


def _unmatched(config: Config, run: str, source: str) -> str:
    """Why no training of the source is that of each of a row's seeds and folds."""
    for what, of in (("seed", seeds_of), ("fold", folds_of)):
        theirs, mine = of(config, source), of(config, run)
        if theirs and not (mine and set(mine) <= set(theirs)):
            known, wanted = (", ".join(map(str, some)) or "none" for some in (theirs, mine))
            return f"{source} is trained with the {what}s {known}, {run} with {wanted}: give both the same"
    return ""
