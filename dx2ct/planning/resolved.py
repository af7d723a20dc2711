"""A configuration without a fault, and what it says of each run and of each of its trainings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from drr.errors import InputError
from dx2ct.config import DerivedRow, plain, RunSettings, SamplingOptions
from dx2ct.config.keys import BadKeyError, fields_of
from dx2ct.config.parse import validated
from dx2ct.config.problems import Problem, SettingsError
from dx2ct.layout import folded
from dx2ct.methods import method_named
from dx2ct.methods.base import Method
from dx2ct.methods.saved import settings_as
from dx2ct.planning.layers import KeyPath
from dx2ct.planning.repeats import folds_of, start_of, trained_row, Training, trainings_of
from dx2ct.planning.tree import Config
from dx2ct.planning.values import fault, laid_over
from dx2ct.samplers import require_solver


@dataclass(frozen=True)
class Resolved:
    """A configuration without a fault, and FILE:LINE of what files and the command line say.

    A name is that of a run or of one of its trainings, which are the run itself where it has no folds.
    """

    config: Config
    values: Mapping[str, Any]
    origins: Mapping[KeyPath, str] = field(default_factory=dict)

    @cached_property
    def trainings(self) -> dict[str, Training]:
        """All trainings by name."""
        return {name: one for run in self.config.runs for name, one in trainings_of(self.config, run).items()}

    def trainings_of(self, run: str) -> list[str]:
        """Names of a run's trainings: its own, or one for each fold."""
        return list(trainings_of(self.config, run))

    def folds(self, run: str) -> tuple[str, ...]:
        """The folds that a run is trained on; none where cohort.split says on what."""
        return folds_of(self.config, run)

    def run(self, name: str) -> str:
        """The run of a training; of a run itself."""
        return self.trainings[name].run if name in self.trainings else name

    def fold(self, name: str) -> str | None:
        """The fold of a training; of a run with folds the first of them."""
        return self.trainings[name].fold if name in self.trainings else next(iter(self.folds(name)), None)

    def row(self, name: str) -> Any:
        """The row of a run, of a derived one that of its source."""
        return trained_row(self.config, self.run(name))

    def views(self, name: str) -> tuple[str, ...]:
        """The X-rays that a run reconstructs from; none for a method that looks at none."""
        row = self.config.runs[self.run(name)]
        if isinstance(row, DerivedRow) and row.views is not None:
            return row.views
        return tuple(getattr(self.row(name), "views", ()))

    def source_run(self, name: str) -> str:
        """The training whose weights a training uses, mostly itself."""
        row = self.config.runs[self.run(name)]
        if not isinstance(row, DerivedRow):
            return name
        fold = self.fold(name)
        return folded(row.weights_of, fold) if fold and name in self.trainings else row.weights_of

    def start(self, name: str) -> str | None:
        """Where the weights of a training begin: a training, a folder by a path with a slash, or at random."""
        start: str | None = start_of(self.config, self.run(name))
        if start is None or start not in self.config.runs or start in self.trainings:
            return start
        return folded(start, self.fold(name) or self.folds(start)[0])

    def method(self, name: str) -> Method:
        """The method of a run."""
        return method_named(self.row(name).method)

    def settings(self, name: str) -> RunSettings:
        """Everything that decides the weights of a training but its scans, and nothing else.

        InputError for what does not fit together.
        """
        row, method, source = self.row(name), self.method(name), self.run(self.source_run(name))
        values = {"run": plain(row) | {"over": {}, "seeds": None, "folds": None}}
        for part in fields_of(method.settings):
            if part in method.sections:
                section = plain(getattr(getattr(self.config.methods, method.name), part))
                values[part] = laid_over(section, row.over.get(part, {}))
            elif part == "xray":
                values[part] = plain(self._xray_of(source, row))
            elif part != "run":
                values[part] = plain(getattr(self.config, part))
        if method.learns:
            values["train"]["start_from"] = self.start(self.source_run(name))
        settings: RunSettings = settings_as(method, values, source, row.over)
        return settings.relevant()

    def sampling(self, name: str) -> SamplingOptions:
        """How a run samples: the section reconstruct with what a derived row lays over it."""
        run = self.run(name)
        row = self.config.runs[run]
        over = row.reconstruct if isinstance(row, DerivedRow) else {}
        return sampling_of(plain(self.config.reconstruct), over, ("runs", run, "reconstruct"))

    def _xray_of(self, run: str, row: Any) -> Any:
        try:
            return self.config.xray.only(row.views)
        except BadKeyError as error:
            raise InputError(f"runs.{run}.{error}") from None


def sampling_of(section: Mapping[str, Any], over: Mapping[str, Any], path: KeyPath) -> SamplingOptions:
    """The section reconstruct with values over it that stand at `path`; raises SettingsError."""
    try:
        options: SamplingOptions = validated(SamplingOptions, laid_over(section, over))
        require_solver(options)
    except SettingsError as error:
        raise SettingsError([Problem((*path, *one.path), one.text) for one in error.found]) from None
    except BadKeyError as error:
        raise fault((*path, *error.key.split(".")), error.problem) from None
    return options
