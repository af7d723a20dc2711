"""Rows that are trained several times: with several seeds, on several folds, and where the weights of each begin.

Of seeds rows are made, one each, so that nothing behind the configuration knows of them. Folds stay keys of a row: its
trainings differ in the scans alone, and together they reconstruct each scan once.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from dx2ct.config import DerivedRow
from dx2ct.layout import folded, seeded
from dx2ct.methods import method_named
from dx2ct.planning.tree import Config
from dx2ct.planning.values import laid_over


class Training(NamedTuple):
    """One training of a run: on the scans of a fold, or None of those of cohort.split."""

    run: str
    fold: str | None


def trained_row(config: Config, run: str) -> Any:
    """The row that says how a run's weights are trained: its own, or its source's."""
    row = config.runs[run]
    return config.runs[row.weights_of] if isinstance(row, DerivedRow) else row


def seeds_of(config: Config, run: str) -> tuple[int, ...]:
    """With which a run, or the one whose weights it uses, is trained; none where it is trained once or never."""
    row = trained_row(config, run)
    if not method_named(row.method).learns:
        return ()
    seeds: tuple[int, ...] = config.seeds if row.seeds is None else row.seeds
    return seeds


def folds_of(config: Config, run: str) -> tuple[str, ...]:
    """On which a run, or the one whose weights it uses, is trained; none where cohort.split says on what."""
    row = trained_row(config, run)
    folds: tuple[str, ...] = config.folds if row.folds is None else row.folds
    return folds


def trainings_of(config: Config, run: str) -> dict[str, Training]:
    """A run's trainings by the names of their folders: one, or one for each fold."""
    folds = folds_of(config, run)
    return {folded(run, fold): Training(run, fold) for fold in folds} or {run: Training(run, None)}


def start_of(config: Config, run: str) -> Any:
    """What train.start_from of a run says, unchecked; None for a method that is not trained by steps."""
    row = trained_row(config, run)
    if not method_named(row.method).learns:
        return None
    section = getattr(config.methods, row.method).train
    return row.over.get("train", {}).get("start_from", section.start_from)


def names_of(config: Config, run: str) -> dict[str, str]:
    """What a row's name, that of each of its seeds, and of each fold of these, stands for."""
    of_seed = {seeded(run, seed): f"{run} with seed {seed}" for seed in seeds_of(config, run)}
    folds = folds_of(config, run)
    of_fold = {
        folded(one, fold): f"{what} on fold {fold}" for one, what in (of_seed or {run: run}).items() for fold in folds
    }
    return {run: run} | of_seed | of_fold


def repeated(config: Config) -> Config:
    """With a run for each of the seeds instead of a run that has several.

    One that starts from a run with these seeds starts from that of its own seed.
    """
    runs: dict[str, Any] = {}
    report: list[str] = []
    for run, row in config.runs.items():
        seeds = seeds_of(config, run)
        if isinstance(row, DerivedRow):
            runs |= {seeded(run, n): replace(row, weights_of=seeded(row.weights_of, n)) for n in seeds} or {run: row}
        else:
            overs = {n: laid_over(row.over, {"train": _of_seed(config, run, n)}) for n in seeds}
            runs |= {seeded(run, n): replace(row, over=over, seeds=None) for n, over in overs.items()} or {run: row}
    for run in config.report:
        report += [seeded(run, n) for n in seeds_of(config, run)] or [run]
    return replace(config, seeds=(), runs=runs, report=tuple(report))


def _of_seed(config: Config, run: str, seed: int) -> dict[str, Any]:
    start = start_of(config, run)
    if start in config.runs and seed in seeds_of(config, start):
        return {"seed": seed, "start_from": seeded(start, seed)}
    return {"seed": seed}
