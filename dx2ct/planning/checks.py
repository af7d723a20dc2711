"""What no section of a configuration can know by itself: rules between sections and rows. All raise SettingsError."""

from collections.abc import Sequence
from typing import Any

from drr.errors import InputError
from dx2ct.config import DerivedRow, plain, Row
from dx2ct.data.sources import sources
from dx2ct.layout import STYLE
from dx2ct.methods import method_named
from dx2ct.methods.base import Method
from dx2ct.planning.layers import KeyPath
from dx2ct.planning.repeats import names_of
from dx2ct.planning.resolved import Resolved, sampling_of
from dx2ct.planning.starts import check_start, check_start_settings
from dx2ct.planning.values import fault, fault_of


def check(found: Resolved) -> None:
    """Everything; found: before its seeds have become rows."""
    config = found.config
    if config.cohort.source not in sources():
        raise fault(("cohort", "source"), f"{config.cohort.source!r} is not one of {', '.join(sources())}")
    sampling_of(plain(config.reconstruct), {}, ("reconstruct",))
    for number, run in enumerate(config.report):
        if run not in config.runs:
            raise fault(("report", number), f"{run} is not a row of runs ({', '.join(config.runs)})")
        if run in config.report[:number]:
            raise fault(("report", number), f"{run} stands twice")
    _check_unique(config.seeds, ("seeds",))
    _check_unique(config.folds, ("folds",))
    _check_style(found)
    for run, row in config.runs.items():
        if isinstance(row, DerivedRow):
            _check_derived(found, run, row)
        else:
            _check_row(run, row)
    _check_names(found)
    for run in config.runs:
        check_start(found, run)
    for run in config.report:
        _at_its_place(found, run)
        check_start_settings(found, run)


def _check_unique(values: Sequence[int | str], path: KeyPath) -> None:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise fault((*path, number), f"{value} stands twice")


def _check_style(found: Resolved) -> None:
    style, known = found.config.style, found.config.xray.views
    if not style.films:
        return
    for number, view in enumerate(style.views):
        if view not in known:
            raise fault(("style", "views", number), f"{view} is not a name of xray.views ({', '.join(known)})")
    if STYLE in found.config.runs:
        raise fault(("runs", STYLE), "is the name of the folder of the section style: choose another")


def _check_row(run: str, row: Any) -> None:
    method = method_named(row.method)
    for name, values in row.over.items():
        if name not in method.sections or not isinstance(values, dict):
            known = ", ".join(method.sections)
            raise fault(("runs", run, "over", name), f"is no section of methods.{row.method} ({known})")
    _check_unique(row.seeds or (), ("runs", run, "seeds"))
    _check_unique(row.folds or (), ("runs", run, "folds"))
    if row.seeds and not method.learns:
        raise fault(("runs", run, "seeds"), f"{row.method} is not trained by steps: leave it out")


def _check_names(found: Resolved) -> None:
    """No two runs or trainings may share a folder."""
    runs = found.config.runs
    taken = {run: run for run in runs}
    for run in runs:
        for name, what in names_of(found.config, run).items():
            if taken.setdefault(name, run) != run:
                called = "is" if name in runs else f"{name} is"
                raise fault(("runs", name if name in runs else run), f"{called} the name of {what}: choose another")


def _check_derived(found: Resolved, run: str, row: DerivedRow) -> None:
    source = found.config.runs.get(row.weights_of)
    if not isinstance(source, Row):
        raise fault(("runs", run, "weights_of"), f"{row.weights_of} is not a run that is trained")
    method = method_named(source.method)
    if row.views is not None:
        _check_views(run, row, source, method)
    elif not method.samples and not row.style:
        raise fault(
            ("runs", run, "weights_of"), f"{row.weights_of} is of method {source.method}, which does not sample"
        )
    sampling = found.sampling(run)
    if row.style:
        _check_styled(found, run, method, sampling.consistency.iterations)


def _check_styled(found: Resolved, run: str, method: Method, iterations: int) -> None:
    """A run that reconstructs from X-rays in the style of films, whose grey has no unit."""
    style, place = found.config.style, ("runs", run, "style")
    if not style.films:
        raise fault(place, "true, but style.films names no films: say where they are")
    if not method.learns:
        raise fault(place, f"true, but {method.name} needs line integrals: leave it out")
    if iterations:
        raise fault(place, "true, but consistency needs line integrals: set reconstruct.consistency.iterations to 0")
    if missing := [view for view in found.views(run) if view not in style.views]:
        raise fault(place, f"true, but {missing[0]} is not in style.views ({', '.join(style.views)})")


def _check_views(run: str, row: DerivedRow, source: Row, method: Method) -> None:
    known, place = getattr(source, "views", ()), ("runs", run, "views")
    if unknown := [view for view in row.views or () if view not in known]:
        raise fault(place, f"{unknown[0]} is not a view of {row.weights_of} ({', '.join(known)})")
    if not method.any_view:
        raise fault(place, f"{row.weights_of} is of method {method.name}, which needs all views of its training")


def _at_its_place(found: Resolved, run: str) -> None:
    """The settings of a reported run, which must fit together; a fault is told with its file and line."""
    try:
        found.settings(run)
    except InputError as error:
        raise fault_of(error) from None
