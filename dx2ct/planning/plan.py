"""What the rules ask: which scans, which inputs, which settings. One value, made of the configuration and the sheet.

A settings string is JSON with sorted keys, which Snakemake compares. It holds what decides the outputs of a job and
nothing else (dx2ct/config/parse.py, `tracked`): no machine, no path of the sheet, no address of an archive.
"""

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import plain, to_json, tracked
from dx2ct.layout import DATA, RESULTS
from dx2ct.planning.films import Films


class Plan(Films):
    """A resolved configuration with its cohort: scans, runs, where these begin, jobs, and here settings and targets.

    Raises InputError, one line, for a configuration or a sheet that cannot be used.
    """

    def warnings(self) -> list[str]:
        """What a person should know before anything runs."""
        found = [f"scan {scan} is left out: {why} ({layout.failure(DATA, scan)})" for scan, why in self.failed.items()]
        for fold, patients in self.leaked.items():
            if patients:
                split = fold or self.config.cohort.split
                found.append(
                    f"{', '.join(patients)}: patient in two parts of the published split {split}; {split}_leak_free "
                    "leaves the training scan out"
                )
        if not self.tests:
            found.append(
                f"{self.sheet}: no usable scan in split test: scans are prepared, runs trained, nothing scored"
            )
        if not all(map(self.has_training_scans, self.trainings(self.report))):
            found.append(f"{self.sheet}: no usable scan in split train: only runs that are in {RESULTS}/ are scored")
        for fold in self.folds:
            if not self.usable("test", fold=fold):
                found.append(f"{self.sheet}: fold {fold} tests no usable scan: nothing is trained for it")
        return found + self._uncalibrated()

    def _uncalibrated(self) -> list[str]:
        several = [run for run in self.report if self.has_deviations(run)]
        folded = [run for run in several if self.has_folds(run)]
        others = [run for run in several if run not in folded]
        found = []
        if folded:
            found.append(f"the deviation of {', '.join(folded)} is not calibrated: every fold has weights of its own")
        if others and self.usable("test") and not self.usable("val"):
            found.append(
                f"{self.sheet}: no usable scan in split val: the deviation of {', '.join(others)} is not calibrated"
            )
        return found

    def targets(self) -> list[str]:
        """What `all` makes: the report; without test scans the quality page and the weights.

        Raises InputError where there is no training scan for a run whose weights are not there, and where no scan is
        one that all runs are scored on.
        """
        trainings = self.trainings(self.report)
        for training in trainings:
            self._require_trained(training)
        trained = [*self.files(trainings, layout.weights), *self.files(trainings, layout.settings)]
        if not self.tests:
            return [str(RESULTS / "qc.html"), *trained]
        if not set.intersection(*(set(self.tests_of(run)) for run in self.report)):
            tests = ", ".join(f"{run} {len(self.tests_of(run))}" for run in self.report)
            raise InputError(
                f"{self.sheet}: no scan is tested by all runs of the report ({tests}): give them the same folds"
            )
        return [
            *(str(RESULTS / name) for name in ("metrics.csv", "report.html")),
            *trained,  # what was deleted is made again, also where a table of it is there
            *self.folds_files(self.report),
            *self.files(self.report, layout.scores),
            *self.reconstructed(self.report),
            *self.deviation_scales(self.report),
            *self.calibrations(self.report),
        ]

    def _require_trained(self, training: str) -> None:
        source = layout.run(RESULTS, self.resolved.source_run(training))
        if self.has_training_scans(training) or all(
            p.is_file() for p in (layout.weights(source), layout.settings(source))
        ):
            return
        fold = self.resolved.fold(training)
        raise InputError(
            f"{self.sheet}: no usable scan in split train{f' of fold {fold}' if fold else ''}, "
            f"and no trained run in {source}/: copy its folder there, or name other runs in `report`"
        )

    # ---- settings strings

    def rendering(self, view: str) -> str:
        """What decides the X-ray of a view: the section xray without the others."""
        return to_json(tracked(self.config.xray.only([view])))

    def selection(self) -> str:
        """What decides which scans of the sheet are used."""
        return to_json(plain(self.config.cohort.selection))

    def fetching(self) -> str:
        """The section that says how scans are fetched."""
        return to_json(plain(getattr(self.config, self.source.section))) if self.source.section else "{}"

    def training(self, name: str) -> str:
        """Everything that decides the weights of a training but its scans, and nothing else."""
        return to_json(tracked(self.resolved.settings(name)))

    def sampling(self, run: str) -> str:
        """How a run samples."""
        return to_json(tracked(self.resolved.sampling(run)))

    def engine(self) -> str:
        """The section engine."""
        return to_json(plain(self.config.engine))

    def everything(self) -> str:
        """The whole configuration, to be shown."""
        return to_json(plain(self.config))
