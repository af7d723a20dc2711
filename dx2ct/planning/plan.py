"""What the rules ask: which scans, which inputs, which settings. One value, made of the configuration and the sheet.

A settings string is JSON with sorted keys, which Snakemake compares. It holds what decides the outputs of a job and
nothing else (dx2ct/config/parse.py, `tracked`): no machine, no path of the sheet, no address of an archive.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
import re
from typing import Any

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import DerivedRow, LearnedSettings, plain, to_json, tracked
from dx2ct.data.cohort.selection import fingerprint, leaks, select
from dx2ct.data.cohort.sheet import checked_rows
from dx2ct.data.prepare.failed import reason_of, stamp, what_is_tried
from dx2ct.data.sources import Source, sources
from dx2ct.layout import DATA, PLANES, RESULTS
from dx2ct.planning.resolve import resolve, Resolved

NOTHING = "(?!)"  # a pattern that matches no name


class Plan:
    """A resolved configuration with its cohort. root: the workflow's folder; paths are looked for there, too.

    Raises InputError, one line, for a configuration or a sheet that cannot be used.
    """

    def __init__(self, files: Sequence[Path], overrides: Mapping[str, Any], root: Path) -> None:
        self.root = root
        self.resolved: Resolved = resolve(files or [root / "config.yaml"], root, overrides)
        self.config = self.resolved.config
        self.source: Source = sources()[self.config.cohort.source]
        self.sheet = self.found(self.config.cohort.sheet)
        rows = checked_rows(self.sheet, ("split" if not self.config.cohort.split else "", *self.source.columns))
        try:
            kept, self.left_out = select(rows, plain(self.config.cohort))
            self.leaked = leaks(kept)
        except InputError as error:
            raise InputError(f"{self.sheet}: {error}") from None
        self.cohort = {row["scan"]: row for row in kept}
        if not self.usable("train", "val", "test"):
            raise InputError(f"{self.sheet}: no usable scan in split train, val or test")
        for run in self.report:
            for path in [path for scan in self.usable("test") for path in self.files_of(run, scan)]:
                if not Path(path).is_file():
                    raise InputError(f"runs.{run}: {path}: no such file: mend the row")

    def found(self, path: str) -> str:
        """A path of the configuration: as seen from the working directory or, failing that, from the workflow."""
        here, there = Path(path).exists(), self.root / path
        return str(there) if there.exists() and not here else path

    def warnings(self) -> list[str]:
        """What a person should know before anything runs."""
        split = self.config.cohort.split
        found = [f"scan {scan} is left out: {why} ({layout.failure(DATA, scan)})" for scan, why in self.failed.items()]
        if self.leaked:
            found.append(
                f"{', '.join(self.leaked)}: patient in two parts of the published split {split}; {split}_leak_free "
                "leaves the training scan out"
            )
        if not self.usable("test"):
            found.append(
                f"{self.sheet}: no usable scan in split test: scans are prepared, runs trained, nothing scored"
            )
        if not self.usable("train"):
            found.append(f"{self.sheet}: no usable scan in split train: only runs that are in {RESULTS}/ are scored")
        several = list(filter(self.has_deviations, self.report))
        if several and self.usable("test") and not self.usable("val"):
            found.append(
                f"{self.sheet}: no usable scan in split val: the deviation of {', '.join(several)} is not calibrated"
            )
        return found

    # ---- scans

    @cached_property
    def failed(self) -> dict[str, str]:
        """Scans that could not be read, and why; a repaired source and changed settings are tried again."""
        found = {}
        for scan, row in self.cohort.items():
            tried = what_is_tried(self.stage("volume"), row["series_uid"], row.get("header") or "")
            if (reason := reason_of(layout.failure(DATA, scan), Path(row["path"]), tried)) is not None:
                found[scan] = reason
        return found

    def usable(self, *splits: str) -> list[str]:
        """Scans of the given parts of the split, without the failed ones."""
        return [scan for scan, row in self.cohort.items() if row["split"] in splits and scan not in self.failed]

    def leave_out(self, *splits: str) -> list[str]:
        """Options for a command that reads the sheet."""
        return [f"--leave-out={scan}" for scan in self.failed if self.cohort[scan]["split"] in splits]

    def cohort_fingerprint(self) -> str:
        """Changes when the tables of the cohort do."""
        rows = [self.cohort[scan] for scan in self.usable("train", "val", "test")]
        return fingerprint(rows, self.left_out + list(self.failed.items()))

    def failure_options(self) -> list[str]:
        """Options that name the records of failed scans."""
        return [f"--failed={layout.failure(DATA, scan)}" for scan in self.failed]

    def left_out_tables(self) -> list[str]:
        """Files that say which scans are not in the results, and why."""
        table = self.config.cohort.left_out
        return ([self.found(table)] if table else []) + [str(RESULTS / "left_out.tsv")]

    def nodule_tables(self) -> list[str]:
        """Positions of nodules that the sheet itself does not hold."""
        return [self.found(self.source.nodules)] if self.source.nodules else []

    def nodule_fingerprint(self) -> str:
        """Changes when the sheet says something else of where the test scans' nodules are."""
        columns = ("nodules", "fov_mm", "pixel_mm")
        rows = [{key: self.cohort[scan].get(key, "") for key in columns} for scan in self.usable("test")]
        return fingerprint(rows, [])

    # ---- inputs of jobs

    def targets(self) -> list[str]:
        """What `all` makes: the report; without test scans the quality page and the weights.

        Raises InputError where there is no training scan for a run whose weights are not there.
        """
        if not self.usable("train"):
            for run in self.report:
                source = layout.run(RESULTS, self.resolved.source_run(run))
                if not all(path.is_file() for path in (layout.weights(source), layout.settings(source))):
                    raise InputError(
                        f"{self.sheet}: no usable scan in split train, and no trained run in {source}/: "
                        "copy its folder there, or name other runs in `report`"
                    )
        trained = [*self.files(self.report, layout.weights), *self.files(self.report, layout.settings)]
        tests = self.usable("test")
        if not tests:
            return [str(RESULTS / "qc.html"), *trained]
        return [
            *(str(RESULTS / name) for name in ("metrics.csv", "report.html")),
            *trained,  # what was deleted is made again, also where a table of it is there
            *self.files(self.report, layout.scores),
            *self.reconstructions(self.report, tests),
            *self.deviation_scales(self.report),
            *self.calibrations(self.report),
        ]

    def no_patterns(self, paths: Iterable[str]) -> list[str]:
        """Paths that can be inputs. Snakemake looks for wildcards in all, and for what `{x}` stands for in a folder."""
        return [path for path in paths if "{" not in path and "}" not in path]

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

    def stacks(self, scans: Iterable[str]) -> list[str]:
        """The slices of scans."""
        return [str(layout.stack(DATA, scan, plane)) for scan in scans for plane in PLANES]

    def copied_volumes(self, run: str) -> list[str]:
        """Volumes that a training makes changed copies of."""
        settings = self.resolved.settings(run)
        copies = isinstance(settings, LearnedSettings) and settings.train.augment.changes
        return [str(layout.volume(DATA, scan)) for scan in self.usable("train")] if copies else []

    def reconstructions(self, runs: Iterable[str], scans: Iterable[str]) -> list[str]:
        """What `reconstruct` makes of scans: the mean volume and the volume of each plane."""
        scans = list(scans)
        folders = [layout.run(RESULTS, run) for run in runs]
        return [str(path) for folder in folders for scan in scans for path in layout.reconstructions(folder, scan)]

    def files_of(self, run: str, scan: str) -> list[str]:
        """Files of the user's own that a reconstruction reads."""
        return self.resolved.method(run).files(self.resolved.row(run), scan)

    def deviations(self, run: str, scans: Iterable[str]) -> list[str]:
        """The deviations of a run's samples."""
        return [str(layout.deviation(layout.run(RESULTS, run), scan)) for scan in scans]

    def deviation_scales(self, runs: Iterable[str]) -> list[str]:
        """What calibrates the deviations of runs with several samples; none without a validation scan."""
        return self.files(filter(self.has_deviations, runs), layout.deviation_scale) if self.usable("val") else []

    def calibrations(self, runs: Iterable[str]) -> list[str]:
        """How the deviations of runs with several samples agree with their errors."""
        return self.files(filter(self.has_deviations, runs), layout.calibration)

    def files(self, runs: Iterable[str], path: Callable[..., Path], *arguments: str) -> list[str]:
        """One file of each run: a function of layout that takes its folder."""
        return [str(path(layout.run(RESULTS, run), *arguments)) for run in runs]

    # ---- settings strings

    def stage(self, name: str) -> str:
        """The section of a data stage."""
        return to_json(tracked(getattr(self.config, name)))

    def rendering(self, view: str) -> str:
        """What decides the X-ray of a view: the section xray without the others."""
        return to_json(tracked(self.config.xray.only([view])))

    def selection(self) -> str:
        """What decides which scans of the sheet are used."""
        return to_json(plain(self.config.cohort.selection))

    def fetched(self, scan: str) -> str:
        """What decides a scan's zip."""
        return to_json(self.source.tracked(self.cohort[scan]))

    def fetching(self) -> str:
        """The section that says how scans are fetched."""
        return to_json(plain(getattr(self.config, self.source.section))) if self.source.section else "{}"

    def training(self, run: str) -> str:
        """Everything that decides the weights of a run, and nothing else."""
        return to_json(tracked(self.resolved.settings(run)))

    def sampling(self, run: str) -> str:
        """How a run samples."""
        return to_json(tracked(self.resolved.sampling(run)))

    def engine(self) -> str:
        """The section engine."""
        return to_json(plain(self.config.engine))

    def everything(self) -> str:
        """The whole configuration, to be shown."""
        return to_json(plain(self.config))

    # ---- runs

    @property
    def report(self) -> list[str]:
        """The runs that are computed."""
        return list(self.config.report)

    def runs_that(self, condition: Callable[[str], bool]) -> str:
        """Names of runs as a wildcard's pattern."""
        return "|".join(re.escape(run) for run in self.config.runs if condition(run)) or NOTHING

    def is_derived(self, run: str) -> bool:
        """True for a run with another run's weights."""
        return isinstance(self.config.runs[run], DerivedRow)

    def has_deviations(self, run: str) -> bool:
        """True for a run that draws several samples a scan."""
        return self.resolved.method(run).samples and self.resolved.sampling(run).samples > 1

    def source_run(self, run: str) -> str:
        """The folder of the run whose weights a run uses."""
        return str(layout.run(RESULTS, self.resolved.source_run(run)))

    def views_of(self, run: str) -> list[str]:
        """The X-rays that a run looks at; the mean volume looks at none."""
        return list(self.resolved.views(run))

    def view_options(self, run: str) -> list[str]:
        """Options that name the views of a derived run that takes some of its source's only."""
        row = self.config.runs[run]
        return [f"--view={view}" for view in row.views] if isinstance(row, DerivedRow) and row.views else []

    def parts_of(self, run: str) -> tuple[str, ...]:
        """The parts of the split that a training looks at."""
        method = self.resolved.method(run)
        if not method.learns:
            return ("train",)
        validation = getattr(self.config.methods, method.name).train.validation
        return ("train", "val") if validation.every and validation.split == "val" else ("train",)

    def gpus_of(self, run: str) -> int:
        """How many GPUs the jobs of a run ask for: one where a network computes, else none."""
        return int(self.resolved.method(run).learns)

    def python_of(self, run: str, gpus: int) -> str:
        """What starts a training: torchrun, one process a GPU, where a learned method is given several."""
        several = gpus > 1 and self.resolved.method(run).learns
        return f"torchrun --standalone --nproc-per-node {gpus} -m" if several else "python -m"
