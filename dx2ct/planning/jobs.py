"""What the jobs of a plan read, as paths, and what they are told, as options."""

from collections.abc import Callable, Iterable
from pathlib import Path
import shlex

from dx2ct import layout
from dx2ct.config import DerivedRow, LearnedSettings, to_json
from dx2ct.data.cohort.selection import fingerprint
from dx2ct.data.prepare.failed import stamp
from dx2ct.layout import DATA, PLANES, RESULTS, STYLE
from dx2ct.planning.begins import Begins


class Jobs(Begins):
    """Inputs and options of jobs."""

    # ---- of a scan

    def source_files(self, scan: str) -> list[str]:
        """Where a scan lies, as an input; nothing for a path that can be none."""
        return self.no_patterns([self.cohort[scan]["path"]])

    def source_stamp(self, scan: str) -> str:
        """What stands for an input that `source_files` cannot name: its size and time.

        Of all others a value that other params have, too, which Snakemake does not tell from none.
        """
        path = Path(self.cohort[scan]["path"])
        if self.source_files(scan):
            return self.cohort[scan]["series_uid"]
        return to_json(stamp(path)) if path.exists() else "gone"

    def series_words(self, scan: str) -> str | list[str]:
        """What follows `--series-uid=`: a scan's series and, where the sheet restates a header, the option --header.

        No option of the rules' own: their text would change, and Snakemake make the volumes of all cohorts again.
        """
        row = self.cohort[scan]
        return [row["series_uid"], f"--header={row['header']}"] if row.get("header") else row["series_uid"]

    def xrays(self, scans: Iterable[str], views: Iterable[str] | None = None) -> list[str]:
        """X-rays of scans, of all views or some."""
        names = list(self.config.xray.views if views is None else views)
        return [str(layout.xray(DATA, scan, view)) for scan in scans for view in names]

    def seen_xrays(self, run: str, scan: str) -> list[str]:
        """The X-rays that a run reconstructs a scan from: as rendered, or in the style of films."""
        views = self.views_of(run)
        if not self.is_styled(run):
            return self.xrays([scan], views)
        return [str(layout.styled(layout.style(RESULTS, view), scan)) for view in views]

    def stacks(self, scans: Iterable[str]) -> list[str]:
        """The slices of scans."""
        return [str(layout.stack(DATA, scan, plane)) for scan in scans for plane in PLANES]

    # ---- of a run

    def copied_volumes(self, training: str) -> list[str]:
        """Volumes that a training makes changed copies of."""
        settings = self.resolved.settings(training)
        copies = isinstance(settings, LearnedSettings) and settings.train.augment.changes
        scans = self.seen_by(training, "train") if copies else []
        return [str(layout.volume(DATA, scan)) for scan in scans]

    def reconstructions(self, runs: Iterable[str], scans: Iterable[str]) -> list[str]:
        """What `reconstruct` makes of scans: the mean volume and the volume of each plane."""
        scans = list(scans)
        folders = [layout.run(RESULTS, run) for run in runs]
        return [str(path) for folder in folders for scan in scans for path in layout.reconstructions(folder, scan)]

    def reconstructed(self, runs: Iterable[str]) -> list[str]:
        """The same of the scans that runs are scored on."""
        return [path for run in runs for path in self.reconstructions([run], self.tests_of(run))]

    def deviations(self, run: str, scans: Iterable[str]) -> list[str]:
        """The deviations of a run's samples."""
        return [str(layout.deviation(layout.run(RESULTS, run), scan)) for scan in scans]

    def deviation_scales(self, runs: Iterable[str]) -> list[str]:
        """What calibrates the deviations of runs with several samples; none without a validation scan.

        It belongs to weights, of which a run with folds has several.
        """
        calibrated = [run for run in runs if self.has_deviations(run) and not self.has_folds(run)]
        return self.files(calibrated, layout.deviation_scale) if self.usable("val") else []

    def calibrations(self, runs: Iterable[str]) -> list[str]:
        """How the deviations of runs with several samples agree with their errors."""
        return self.files(filter(self.has_deviations, runs), layout.calibration)

    def weights(self, runs: Iterable[str]) -> list[str]:
        """The weights of runs, of all their trainings."""
        return self.files(self.trainings(runs), layout.weights)

    def folds_files(self, runs: Iterable[str]) -> list[str]:
        """What stands for weights in the folders of runs with folds: their settings, and the names of trainings."""
        folded = [run for run in runs if self.has_folds(run)]
        return [*self.files(folded, layout.settings), *self.files(folded, layout.folds)]

    def folds_text(self, run: str) -> str:
        """The names of a run's trainings by fold."""
        return to_json({self.resolved.fold(name): name for name in self.trainings([run])})

    def files(self, runs: Iterable[str], path: Callable[..., Path], *arguments: str) -> list[str]:
        """One file of each run: a function of layout that takes its folder."""
        return [str(path(layout.run(RESULTS, run), *arguments)) for run in runs]

    def nodule_fingerprint(self, run: str) -> str:
        """Changes when the sheet says something else of where the nodules of a run's test scans are."""
        columns = ("nodules", "fov_mm", "pixel_mm")
        return fingerprint(
            [{key: self.cohort[scan].get(key, "") for key in columns} for scan in self.tests_of(run)], []
        )

    # ---- options

    def train_options(self, training: str) -> list[str]:
        """Which scans of the sheet a training leaves out, by which fold it goes, and where it begins."""
        start = self.start_of(training)
        found = self.part_options(training, *self.parts_of(training))
        return found + ([f"--start-from={shlex.quote(str(start[1]))}"] if start else [])

    def part_options(self, training: str, *parts: str) -> list[str]:
        """Which scans of the sheet a command about a training leaves out, where it needs these parts; its fold."""
        fold = self.resolved.fold(training)
        return self.leave_out(*parts, fold=fold) + ([f"--fold={fold}"] if fold else [])

    def reconstruct_options(self, run: str, scan: str) -> list[str]:
        """The views of a derived run that takes some of its source's only; the fold that has not seen a scan."""
        row = self.config.runs[run]
        found = [f"--view={view}" for view in row.views] if isinstance(row, DerivedRow) and row.views else []
        found += [f"--style={RESULTS / STYLE}"] if self.is_styled(run) else []
        return found + ([f"--fold={self.resolved.fold(self.held_out(run)[scan])}"] if self.has_folds(run) else [])

    def score_options(self, run: str) -> list[str]:
        """The scans that a score leaves out; the folds whose test scans it is of."""
        folds = self.resolved.folds(run)
        found = [option for fold in folds or [None] for option in self.leave_out("test", fold=fold)]
        return found + [f"--fold={fold}" for fold in folds]
