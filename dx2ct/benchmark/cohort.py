"""The fixed part of the benchmark: its phantoms, their grid and X-rays, and the rows that are there already."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from drr.errors import InputError
from dx2ct.benchmark.provenance import Provenance, read_provenance
from dx2ct.benchmark.rows import read_rows, trainings
from dx2ct.data.grid import CubeGrid, training_grid
from dx2ct.layout import ROOT
from dx2ct.planning import Plan

CONFIG = ROOT / "workflow/config/ranking.yaml"
OURS = ROOT / "bench/ranking_scores.csv"
SUBMITTED = ROOT / "bench/submitted"


@dataclass(frozen=True)
class Benchmark:
    """A configuration whose test scans are compared, and the files of rows about them.

    config: of a cohort that anybody can make anew. ours: rows of runs of that configuration. submitted: a folder of
    NAME.csv and NAME.json.
    """

    config: Path = CONFIG
    ours: Path = OURS
    submitted: Path = SUBMITTED

    @cached_property
    def plan(self) -> Plan:
        """The configuration with its cohort."""
        return Plan([self.config], {}, ROOT)

    @cached_property
    def parts(self) -> dict[str, str]:
        """The part of the split of every scan."""
        return self.plan.parts()

    @property
    def tests(self) -> list[str]:
        """The scans that everybody is scored on."""
        return self.of("test")

    @property
    def grid(self) -> CubeGrid:
        """The grid of all volumes, around the origin."""
        return training_grid(self.plan.config.volume, self.plan.config.slices)

    def of(self, *parts: str) -> list[str]:
        """Scans of some parts of the split."""
        return [scan for scan, part in self.parts.items() if part in parts]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows that are there: this project's, then those that others have submitted."""
        ours = self.read(self.ours)
        if clash := [path for path in self._files if path.stem in set(ours["run"])]:
            raise InputError(f"{clash[0]}: {clash[0].stem} is a run of {self.ours}: rename it")
        return pd.concat([ours, *map(self._submitted, self._files)], ignore_index=True)

    def read(self, path: Path) -> pd.DataFrame:
        """Rows of a file; InputError where a training has not each test scan once, with a PSNR."""
        rows = read_rows(path)
        if rows.empty:
            raise InputError(f"{path}: no row in it: write it by `dx2ct benchmark score`")
        for run, seed, part in trainings(rows):
            self._require_whole(path, f"{run}, seed {seed}", part)
        return rows

    @cached_property
    def provenance(self) -> dict[str, Provenance]:
        """Of every run that is there, what it sees, what it was trained on and by whom."""
        theirs = {path.stem: read_provenance(path.with_suffix(".json")) for path in self._files}
        return {
            run: theirs[run] if run in theirs else self._of_ours(run) for run in map(str, self.rows["run"].unique())
        }

    def require_new(self, name: str) -> None:
        """InputError for a name that a run has already, or will have in a folder where the configuration runs."""
        planned = {run.partition("_seed")[0] for run in self.plan.config.runs}
        if name in planned | set(self.rows["run"]):
            raise InputError(f"--name {name}: is a run of the benchmark already: choose another name")

    @property
    def _files(self) -> list[Path]:
        return sorted(self.submitted.glob("*.csv"))

    def _of_ours(self, run: str) -> Provenance:
        """By the configuration, in which a run of several seeds has a row for each."""
        resolved = self.plan.resolved
        views = next((resolved.views(name) for name in (run, f"{run}_seed0") if name in resolved.config.runs), ())
        scans = len(self.of("train"))
        return Provenance(run=run, by="dx2ct", views="+".join(views), trained_on=f"the cohort's {scans} training scans")

    def _submitted(self, path: Path) -> pd.DataFrame:
        rows = self.read(path)
        if set(rows["run"]) != {path.stem}:
            raise InputError(f"{path}: has rows of {', '.join(sorted(set(rows['run'])))}: a file has its run's name")
        return rows

    def _require_whole(self, path: Path, what: str, part: pd.DataFrame) -> None:
        scans, tests = list(part["scan"]), set(self.tests)
        if others := sorted(set(scans) - tests):
            raise InputError(f"{path}: {what}: {others[0]} is no test scan of the benchmark: take the row out")
        if twice := sorted({scan for scan in scans if scans.count(scan) > 1}):
            raise InputError(f"{path}: {what}: {twice[0]} stands there twice: keep one row")
        if missing := sorted(tests - set(scans)):
            raise InputError(
                f"{path}: {what}: lacks {len(missing)} of the {len(tests)} test scans, first {missing[0]}: score all"
            )
        if part["psnr_db"].isna().any():
            scan = part.loc[part["psnr_db"].isna(), "scan"].iloc[0]
            raise InputError(f"{path}: {what}: {scan} has no psnr_db: score it again")
