"""The runs of a plan and their trainings: on which scans each is trained, which it reconstructs, what it asks for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
import re
from typing import Any

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import DerivedRow
from dx2ct.layout import RESULTS
from dx2ct.planning.scans import Scans

NOTHING = "(?!)"  # a pattern that matches no name


class Runs(Scans):
    """Scans and runs. A run has one training, or one for each of its folds; names are those of their folders."""

    def __init__(self, files: Sequence[Path | Mapping[str, Any]], overrides: Mapping[str, Any], root: Path) -> None:
        super().__init__(files, overrides, root)
        self._held_out: dict[str, dict[str, str]] = {}
        for run in self.report:
            for path in [path for scan in self.tests_of(run) for path in self.files_of(run, scan)]:
                if not Path(path).is_file():
                    raise InputError(f"runs.{run}: {path}: no such file: mend the row")

    # ---- trainings

    def trainings(self, runs: Iterable[str]) -> list[str]:
        """Of some runs: their own, or one for each fold that tests a scan."""
        names = [name for run in runs for name in self.resolved.trainings_of(run)]
        folds = {name: self.resolved.fold(name) for name in names}
        return [name for name in names if not folds[name] or self.usable("test", fold=folds[name])]

    def has_folds(self, run: str) -> bool:
        """True for a run with a training for each of its folds, and no weights of its own."""
        return bool(self.resolved.folds(run))

    def is_derived(self, run: str) -> bool:
        """True for a run with another run's weights, and for its trainings."""
        return isinstance(self.config.runs[self.resolved.run(run)], DerivedRow)

    def is_styled(self, run: str) -> bool:
        """True for a run that reconstructs from X-rays in the style of films."""
        row = self.config.runs[self.resolved.run(run)]
        return isinstance(row, DerivedRow) and row.style

    def runs_that(self, condition: Callable[[str], bool]) -> str:
        """Names of runs as a wildcard's pattern."""
        return "|".join(re.escape(run) for run in self.config.runs if condition(run)) or NOTHING

    def trainings_that(self, condition: Callable[[str], bool]) -> str:
        """Names of trainings as a wildcard's pattern."""
        return "|".join(re.escape(name) for name in self.resolved.trainings if condition(name)) or NOTHING

    def source_run(self, training: str) -> str:
        """The folder of the training whose weights a training uses."""
        return str(layout.run(RESULTS, self.resolved.source_run(training)))

    # ---- their scans

    def parts_of(self, run: str) -> tuple[str, ...]:
        """The parts of the split that a training looks at."""
        method = self.resolved.method(run)
        if not method.learns:
            return ("train",)
        validation = getattr(self.config.methods, method.name).train.validation
        return ("train", "val") if validation.every and validation.split == "val" else ("train",)

    def training_scans(self, training: str) -> list[str]:
        """The scans that a training looks at."""
        return self.seen_by(training, *self.parts_of(training))

    def seen_by(self, training: str, *parts: str) -> list[str]:
        """Usable scans of these parts of the split, of a training's fold where it has one."""
        return self.usable(*parts, fold=self.resolved.fold(training))

    def has_training_scans(self, training: str) -> bool:
        """False where a training must be there already."""
        return bool(self.seen_by(training, "train"))

    def held_out(self, run: str) -> dict[str, str]:
        """The scans that a run reconstructs, each with the training that has not seen its patient.

        Raises InputError for a scan that two folds test.
        """
        if run not in self._held_out:
            found: dict[str, str] = {}
            for name in self.resolved.trainings_of(run):
                for scan in self.usable("test", fold=self.resolved.fold(name)):
                    if scan in found:
                        raise InputError(
                            f"{self.sheet}: scan {scan} is tested by {found[scan]} and {name}: once is enough"
                        )
                    found[scan] = name
            self._held_out[run] = {scan: found[scan] for scan in self.cohort if scan in found}
        return self._held_out[run]

    def tests_of(self, run: str) -> list[str]:
        """The scans that a run is scored on, in the sheet's order."""
        return list(self.held_out(run))

    @property
    def tests(self) -> list[str]:
        """Those that any run of the report is scored on."""
        tested = {scan for run in self.report for scan in self.tests_of(run)}
        return [scan for scan in self.cohort if scan in tested]

    def weights_for(self, run: str, scan: str) -> str:
        """The weights that reconstruct a scan; a run without folds has one for all."""
        training = self.held_out(run).get(scan) if self.has_folds(run) else run
        if training is None:
            raise InputError(f"scan {scan} is tested by no fold of {run}")
        return str(layout.weights(layout.run(RESULTS, training)))

    def files_of(self, run: str, scan: str) -> list[str]:
        """Files of the user's own that a reconstruction reads."""
        return self.resolved.method(run).files(self.resolved.row(run), scan)

    # ---- what their jobs ask for

    def has_deviations(self, run: str) -> bool:
        """True for a run that draws several samples a scan."""
        return self.resolved.method(run).samples and self.resolved.sampling(run).samples > 1

    def views_of(self, run: str) -> list[str]:
        """The X-rays that a run looks at; the mean volume looks at none."""
        return list(self.resolved.views(run))

    def gpus_of(self, run: str) -> int:
        """How many GPUs the jobs of a run ask for: one where a network computes, else none."""
        return int(self.resolved.method(run).learns)

    def python_of(self, run: str, gpus: int) -> str:
        """What starts a training: torchrun, one process a GPU, where a learned method is given several."""
        several = gpus > 1 and self.resolved.method(run).learns
        return f"torchrun --standalone --nproc-per-node {gpus} -m" if several else "python -m"
