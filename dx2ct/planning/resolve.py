"""From configuration files to one checked configuration, of which every value knows where it is from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drr.errors import InputError
from dx2ct.config import DerivedRow, plain, Row, RunSettings, SamplingOptions
from dx2ct.config.keys import BadKeyError, fields_of
from dx2ct.config.parse import validated
from dx2ct.config.problems import dotted, Problem, SettingsError
from dx2ct.data.sources import sources
from dx2ct.layout import seeded
from dx2ct.methods import method_named
from dx2ct.methods.base import Method
from dx2ct.methods.saved import settings_as
from dx2ct.planning.layers import command_line, KeyPath, merged, read_layers
from dx2ct.planning.tree import Config, config_type
from dx2ct.samplers import require_solver

MOVED = {name: f"methods.dx2ct.{name}" for name in ("model", "diffusion", "train")}  # since every method has its own


@dataclass(frozen=True)
class Resolved:
    """A configuration without a fault, and FILE:LINE of what files and the command line say."""

    config: Config
    values: Mapping[str, Any]
    origins: Mapping[KeyPath, str] = field(default_factory=dict)

    def row(self, run: str) -> Any:
        """The row of a run, of a derived one that of its source."""
        row = self.config.runs[run]
        return self.config.runs[row.weights_of] if isinstance(row, DerivedRow) else row

    def views(self, run: str) -> tuple[str, ...]:
        """The X-rays that a run reconstructs from; none for a method that looks at none."""
        row = self.config.runs[run]
        if isinstance(row, DerivedRow) and row.views is not None:
            return row.views
        return tuple(getattr(self.row(run), "views", ()))

    def source_run(self, run: str) -> str:
        """The run whose training a run uses, mostly its own."""
        row = self.config.runs[run]
        return row.weights_of if isinstance(row, DerivedRow) else run

    def method(self, run: str) -> Method:
        """The method of a run."""
        return method_named(self.row(run).method)

    def settings(self, run: str) -> RunSettings:
        """Everything that decides the weights of a run, and nothing else; InputError for what does not fit together."""
        row, method, source = self.row(run), self.method(run), self.source_run(run)
        values = {"run": plain(row) | {"over": {}, "seeds": None}}
        for name in fields_of(method.settings):
            if name in method.sections:
                section = plain(getattr(getattr(self.config.methods, method.name), name))
                values[name] = _over(section, row.over.get(name, {}))
            elif name == "xray":
                values[name] = plain(self._xray_of(source, row))
            elif name != "run":
                values[name] = plain(getattr(self.config, name))
        settings: RunSettings = settings_as(method, values, source, row.over)
        return settings.relevant()

    def sampling(self, run: str) -> SamplingOptions:
        """How a run samples: the section reconstruct with what a derived row lays over it."""
        row = self.config.runs[run]
        over = row.reconstruct if isinstance(row, DerivedRow) else {}
        return _sampling(plain(self.config.reconstruct), over, ("runs", run, "reconstruct"))

    def _xray_of(self, run: str, row: Any) -> Any:
        try:
            return self.config.xray.only(row.views)
        except BadKeyError as error:
            raise InputError(f"runs.{run}.{error}") from None


def resolve(files: Sequence[Path], root: Path, overrides: Mapping[str, Any] | None = None) -> Resolved:
    """Read, merge and check configuration files (the later over the earlier) and values of a command line over them.

    root: the workflow's folder. Raises InputError, one line naming file, line and key of everything that is wrong.
    """
    layers = read_layers(files, root)
    if overrides:
        layers.append(command_line(overrides))
    values, origins = merged(layers)
    try:
        config: Config = validated(config_type(), values)
        _check(Resolved(config, values, origins))
    except SettingsError as error:
        names = " and ".join(str(file) for file in files)
        raise InputError("; ".join(_line(one.path, one.text, origins, names) for one in error.found)) from None
    whole = _repeated(config)
    for run in config.runs:
        for seed in _seeds(config, run):
            origins[("runs", seeded(run, seed))] = origin_of(("runs", run), origins)
    return Resolved(whole, values, origins)


def origin_of(path: KeyPath, origins: Mapping[KeyPath, str]) -> str:
    """Where a key or, failing that, what it lies in is from; empty for a default."""
    for end in range(len(path), 0, -1):
        if path[:end] in origins:
            return origins[path[:end]]
    return ""


def _line(path: KeyPath, text: str, origins: Mapping[KeyPath, str], files: str) -> str:
    if len(path) == 1 and path[0] in MOVED:
        text = f"is {MOVED[str(path[0])]} now"
    if path in (("runs",), ("report",)) and text == "missing":
        text = "missing: a file stands alone; `base: config.yaml` in it lays it over the demo"
    where = origin_of(path, origins) or files
    return f"{where}: {dotted(path)}: {text}" if where else f"{dotted(path)}: {text}"


def _check(found: Resolved) -> None:
    """What no section can know by itself; raises SettingsError or InputError."""
    config = found.config
    if config.cohort.source not in sources():
        raise _fault(("cohort", "source"), f"{config.cohort.source!r} is not one of {', '.join(sources())}")
    _sampling(plain(config.reconstruct), {}, ("reconstruct",))
    for number, run in enumerate(config.report):
        if run not in config.runs:
            raise _fault(("report", number), f"{run} is not a row of runs ({', '.join(config.runs)})")
        if run in config.report[:number]:
            raise _fault(("report", number), f"{run} stands twice")
    _check_seeds(config.seeds, ("seeds",))
    for run, row in config.runs.items():
        if isinstance(row, DerivedRow):
            _check_derived(found, run, row)
        else:
            _check_over(run, row)
            _check_seeds(row.seeds or (), ("runs", run, "seeds"))
            if row.seeds and not method_named(row.method).learns:
                raise _fault(("runs", run, "seeds"), f"{row.method} is not trained by steps: leave it out")
    for run in config.runs:
        for seed in _seeds(config, run):
            if seeded(run, seed) in config.runs:
                raise _fault(("runs", seeded(run, seed)), f"is the name of {run} with seed {seed}: choose another")
    for run in config.report:
        _at_its_place(found, run)


def _seeds(config: Config, run: str) -> tuple[int, ...]:
    """With which a run, or the one whose weights it uses, is trained; none where it is trained once or never."""
    row = config.runs[run]
    source = config.runs[row.weights_of] if isinstance(row, DerivedRow) else row
    if not method_named(source.method).learns:
        return ()
    seeds: tuple[int, ...] = config.seeds if source.seeds is None else source.seeds
    return seeds


def _repeated(config: Config) -> Config:
    """With a run for each of the seeds instead of a run that has several."""
    runs: dict[str, Any] = {}
    report: list[str] = []
    for run, row in config.runs.items():
        seeds = _seeds(config, run)
        if isinstance(row, DerivedRow):
            runs |= {seeded(run, n): replace(row, weights_of=seeded(row.weights_of, n)) for n in seeds} or {run: row}
        else:
            of_seed = {n: _over(row.over, {"train": {"seed": n}}) for n in seeds}
            runs |= {seeded(run, n): replace(row, over=over, seeds=None) for n, over in of_seed.items()} or {run: row}
    for run in config.report:
        report += [seeded(run, n) for n in _seeds(config, run)] or [run]
    return replace(config, seeds=(), runs=runs, report=tuple(report))


def _check_derived(found: Resolved, run: str, row: DerivedRow) -> None:
    source = found.config.runs.get(row.weights_of)
    if not isinstance(source, Row):
        raise _fault(("runs", run, "weights_of"), f"{row.weights_of} is not a run that is trained")
    method = method_named(source.method)
    if row.views is not None:
        _check_views(run, row, source, method)
    elif not method.samples:
        raise _fault(
            ("runs", run, "weights_of"), f"{row.weights_of} is of method {source.method}, which does not sample"
        )
    found.sampling(run)


def _check_seeds(seeds: Sequence[int], path: KeyPath) -> None:
    for number, seed in enumerate(seeds):
        if seed in seeds[:number]:
            raise _fault((*path, number), f"{seed} stands twice")


def _check_over(run: str, row: Row) -> None:
    known = method_named(row.method).sections
    for name, values in row.over.items():
        if name not in known or not isinstance(values, dict):
            raise _fault(("runs", run, "over", name), f"is no section of methods.{row.method} ({', '.join(known)})")


def _check_views(run: str, row: DerivedRow, source: Row, method: Method) -> None:
    known, place = getattr(source, "views", ()), ("runs", run, "views")
    if unknown := [view for view in row.views or () if view not in known]:
        raise _fault(place, f"{unknown[0]} is not a view of {row.weights_of} ({', '.join(known)})")
    if not method.any_view:
        raise _fault(place, f"{row.weights_of} is of method {method.name}, which needs all views of its training")


def _at_its_place(found: Resolved, run: str) -> None:
    """The settings of a reported run, which must fit together; a fault is told with its file and line."""
    try:
        found.settings(run)
    except InputError as error:
        key, _, text = str(error).partition(": ")
        raise _fault(tuple(key.split(".")), text) from None


def _sampling(section: Mapping[str, Any], over: Mapping[str, Any], path: KeyPath) -> SamplingOptions:
    try:
        options: SamplingOptions = validated(SamplingOptions, _over(section, over))
        require_solver(options)
    except SettingsError as error:
        raise SettingsError([_moved(one, path) for one in error.found]) from None
    except BadKeyError as error:
        raise _fault((*path, *error.key.split(".")), error.problem) from None
    return options


def _over(section: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A section with some of its values, at any depth, replaced."""
    deeper = {key for key, value in changes.items() if isinstance(value, dict) and isinstance(section.get(key), dict)}
    return dict(section) | {
        key: _over(section[key], changes[key]) if key in deeper else changes[key] for key in changes
    }


def _fault(path: KeyPath, text: str) -> SettingsError:
    return SettingsError([Problem(path, text)])


def _moved(problem: Problem, path: KeyPath) -> Problem:
    return Problem((*path, *problem.path), problem.text)
