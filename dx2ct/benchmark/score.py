"""Anybody's volumes of the test scans, scored as a run of `method: volumes` by the workflow's own stages."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
import re

import pandas as pd

from drr.errors import InputError
from drr.progress import each
from dx2ct import layout
from dx2ct.benchmark.cohort import Benchmark
from dx2ct.benchmark.rows import rows_of
from dx2ct.config import plain, SamplingOptions
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.hu import read_hu
from dx2ct.data.scans import read_grid
from dx2ct.methods import method_named
from dx2ct.methods.saved import settings_as
from dx2ct.methods.volumes.method import difference
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.scoring.run import score_run
from dx2ct.training.runtime import Runtime

THEIRS = "theirs/{scan}.nii.gz"


def require_name(name: str, benchmark: Benchmark) -> None:
    """InputError for a name that no run can have, or that one has."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or re.search(r"_seed\d*$", name):
        raise InputError(f"--name {name}: letters, digits, _ and -, and no _seed at its end: choose another name")
    benchmark.require_new(name)


def faults(folder: Path, volumes: Sequence[str], resample: bool, benchmark: Benchmark) -> list[str]:
    """What keeps volumes from being scored, one line a file.

    volumes: paths with {scan} in them as seen from the folder, one for each training. resample: another grid is none.
    """
    require_prepared(folder, benchmark)
    found: list[str] = []
    for template in volumes:
        for scan in each(benchmark.tests, "look", "volume"):
            found += _faults(folder, _file(folder, template, scan), scan, resample, benchmark)
    return found


def score_volumes(
    folder: Path, name: str, volumes: Sequence[str], resample: bool, cpu_s: float | None, benchmark: Benchmark
) -> pd.DataFrame:
    """Score the volumes; rows of the run, one a training and test scan.

    Runs go to FOLDER/results/NAME or, of several trainings, NAME_seed0 and so on. cpu_s: of one training, if known.
    InputError for what `faults` finds, and for mirrored volumes.
    """
    require_name(name, benchmark)
    found = []
    for seed, template in enumerate(volumes):
        run = layout.run(folder / layout.RESULTS, layout.seeded(name, seed) if len(volumes) > 1 else name)
        _score(run, folder, template, resample, benchmark)
        found.append(rows_of(run, float("nan") if cpu_s is None else cpu_s))
    return pd.concat(found, ignore_index=True)


def require_prepared(folder: Path, benchmark: Benchmark) -> None:
    """InputError where the test scans were not made."""
    data = folder / layout.DATA
    if any(not layout.stack(data, scan, "axial").is_file() for scan in benchmark.tests):
        raise InputError(f"{folder}: the test scans are not there: run `dx2ct benchmark inputs {folder}` first")


def _file(folder: Path, template: str, scan: str) -> Path:
    if "{scan}" not in template:
        raise InputError(f"--volumes {template}: names no {{scan}}: every scan would have the same volume")
    return folder / template.replace("{scan}", scan)


def _faults(folder: Path, path: Path, scan: str, resample: bool, benchmark: Benchmark) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: no such volume: write it, or say by --volumes where it is"
        return
    try:
        volume = read_hu(path)
    except InputError as error:
        yield str(error)
        return
    target = read_grid(folder / layout.DATA, scan, benchmark.grid.size).volume()
    if (what := difference(volume, target)) and not resample:
        yield f"{path}: {what}: take the header of inputs/test/{scan}/grid.nii.gz, or say --resample"


def _score(run: Path, folder: Path, template: str, resample: bool, benchmark: Benchmark) -> None:
    config, data, method = benchmark.plan.config, folder / layout.DATA, method_named("volumes")
    row = {"method": method.name, "path": str(folder.resolve() / template), "resample": resample}
    values = {"run": row, "volume": plain(config.volume), "slices": plain(config.slices)}
    tests = [Row(scan, scan, "", "", "test") for scan in benchmark.tests]
    method.implement().train(settings_as(method, values, run.name), tests, data, run, Runtime())
    for scan in each(benchmark.tests, "read", "scan"):
        reconstruct_scan(scan, run, SamplingOptions(), data, Runtime())
    settings = replace(config.score, lpips=False)  # no column of the benchmark
    score_run(run, benchmark.tests, settings, data, layout.scores(run), config.xray, Path(benchmark.plan.sheet))
