"""The scans of a plan: which rows of the sheet are in use, in which part of the split, on which fold."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import plain, to_json, tracked
from dx2ct.data.cohort.selection import divided, fingerprint, leaks, select
from dx2ct.data.cohort.sheet import checked_rows
from dx2ct.data.prepare.failed import reason_of, what_is_tried
from dx2ct.data.sources import Source, sources
from dx2ct.layout import DATA, RESULTS
from dx2ct.planning.resolve import resolve, Resolved


class Scans:
    """A resolved configuration with its cohort. root: the workflow's folder; paths are looked for there, too.

    A fold is the NAME of a column split_NAME that divides the scans of the cohort anew; None: cohort.split does.
    """

    def __init__(self, files: Sequence[Path | Mapping[str, Any]], overrides: Mapping[str, Any], root: Path) -> None:
        self.root = root
        self.resolved: Resolved = resolve(files or [root / "config.yaml"], root, overrides)
        self.config = self.resolved.config
        self.source: Source = sources()[self.config.cohort.source]
        self.sheet = self.found(self.config.cohort.sheet)
        rows = checked_rows(self.sheet, ("split" if not self.config.cohort.split else "", *self.source.columns))
        self.leaked: dict[str | None, list[str]] = {}
        self._parts: dict[str | None, dict[str, str]] = {}
        try:
            kept, self.left_out = select(rows, plain(self.config.cohort))
        except InputError as error:
            raise InputError(f"{self.sheet}: {error}") from None
        self.cohort = {row["scan"]: row for row in kept}
        for fold in (None, *self.folds):
            self.parts(fold)
        if not self.in_use:
            raise InputError(f"{self.sheet}: no usable scan in split train, val or test")

    def found(self, path: str) -> str:
        """A path of the configuration: as seen from the working directory or, failing that, from the workflow."""
        here, there = Path(path).exists(), self.root / path
        return str(there) if there.exists() and not here else path

    @property
    def report(self) -> list[str]:
        """The runs that are computed."""
        return list(self.config.report)

    @property
    def folds(self) -> list[str]:
        """Those of all runs that are computed, each once."""
        return list(dict.fromkeys(fold for run in self.report for fold in self.resolved.folds(run)))

    def parts(self, fold: str | None = None) -> dict[str, str]:
        """The part of the split of each scan that has one; InputError for a column that cannot be used."""
        if fold not in self._parts:
            try:
                rows = divided(list(self.cohort.values()), fold) if fold else list(self.cohort.values())
                self.leaked[fold] = leaks(rows)
            except InputError as error:
                raise InputError(f"{self.sheet}: {f'fold {fold}: ' if fold else ''}{error}") from None
            self._parts[fold] = {row["scan"]: row["split"] for row in rows}
        return self._parts[fold]

    @cached_property
    def failed(self) -> dict[str, str]:
        """Scans that could not be read, and why; a repaired source and changed settings are tried again."""
        found = {}
        for scan, row in self.cohort.items():
            tried = what_is_tried(self.stage("volume"), row["series_uid"], row.get("header") or "")
            if (reason := reason_of(layout.failure(DATA, scan), Path(row["path"]), tried)) is not None:
                found[scan] = reason
        return found

    @property
    def in_use(self) -> list[str]:
        """All scans without the failed ones."""
        return [scan for scan in self.cohort if scan not in self.failed]

    def usable(self, *splits: str, fold: str | None = None) -> list[str]:
        """Scans of the given parts of the split, without the failed ones."""
        return [scan for scan, part in self.parts(fold).items() if part in splits and scan not in self.failed]

    def leave_out(self, *splits: str, fold: str | None = None) -> list[str]:
        """Options for a command that reads the sheet."""
        parts = self.parts(fold)
        return [f"--leave-out={scan}" for scan in self.failed if parts.get(scan) in splits]

    def cohort_fingerprint(self) -> str:
        """Changes when the tables of the cohort do."""
        others = [*self.failed.items(), *(("fold", fold) for fold in self.folds)]
        return fingerprint([self.cohort[scan] for scan in self.in_use], self.left_out + others)

    def cohort_options(self) -> list[str]:
        """Options that name the records of failed scans, and the folds whose columns are kept."""
        failed = [f"--failed={layout.failure(DATA, scan)}" for scan in self.failed]
        return [*failed, *(f"--fold={fold}" for fold in self.folds)]

    def left_out_tables(self) -> list[str]:
        """Files that say which scans are not in the results, and why."""
        table = self.config.cohort.left_out
        return ([self.found(table)] if table else []) + [str(RESULTS / "left_out.tsv")]

    def nodule_tables(self) -> list[str]:
        """Positions of nodules that the sheet itself does not hold."""
        return [self.found(self.source.nodules)] if self.source.nodules else []

    def no_patterns(self, paths: Iterable[str]) -> list[str]:
        """Paths that can be inputs. Snakemake looks for wildcards in all, and for what `{x}` stands for in a folder."""
        return [path for path in paths if "{" not in path and "}" not in path]

    def stage(self, name: str) -> str:
        """The section of a data stage."""
        return to_json(tracked(getattr(self.config, name)))
