"""Where the trainings of a plan begin: at random, or with weights that are there or are trained first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drr.errors import InputError
from dx2ct import layout
from dx2ct.data.cohort.selection import shared_patients
from dx2ct.layout import RESULTS
from dx2ct.methods.start import is_folder, require_start
from dx2ct.planning.runs import Runs
from dx2ct.planning.starts import start_place
from dx2ct.planning.values import origin_of


class Begins(Runs):
    """Runs, and what train.start_from of each means."""

    def __init__(self, files: Sequence[Path | Mapping[str, Any]], overrides: Mapping[str, Any], root: Path) -> None:
        super().__init__(files, overrides, root)
        for training in self.trainings(self.report):
            self._check_start(self.resolved.source_run(training))

    def start_of(self, training: str) -> tuple[str, Path] | None:
        """What a training starts from, and its folder; None for one that starts at random, or must be there already."""
        start = None if self.is_derived(training) else self.resolved.start(training)
        if start is None or not self.has_training_scans(training):
            return None
        return start, Path(self.found(start)) if is_folder(start) else layout.run(RESULTS, start)

    def start_files(self, training: str) -> list[str]:
        """What a training reads of it, as inputs; the settings of a run are those of this configuration."""
        if (found := self.start_of(training)) is None:
            return []
        start, folder = found
        return [str(layout.weights(folder)), *([str(layout.settings(folder))] if is_folder(start) else [])]

    def _check_start(self, training: str) -> None:
        """InputError for a folder whose weights do not fit, and for weights that have seen a patient of the test."""
        if (found := self.start_of(training)) is None:
            return
        try:
            self._check_folder(training, *found) if is_folder(found[0]) else self._check_patients(training, found[0])
        except InputError as error:
            place = start_place(self.config, self.resolved.run(training))
            origin = origin_of(place, self.resolved.origins)
            raise InputError(f"{origin}{': ' if origin else ''}{'.'.join(map(str, place))}: {error}") from None

    def _check_folder(self, training: str, start: str, folder: Path) -> None:
        if not self.no_patterns([start]):
            raise InputError(f"{start}: braces stand for something else in Snakemake: rename the folder")
        require_start(self.resolved.settings(training), folder)

    def _check_patients(self, training: str, start: str) -> None:
        tested = self.seen_by(training, "test")
        seen, unseen = ([self.cohort[scan] for scan in scans] for scans in (self.training_scans(start), tested))
        if shared := shared_patients(seen, unseen):
            raise InputError(f"{start} is trained on patient {shared[0]}, whom {training} is tested on")
