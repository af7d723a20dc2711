"""The ranking as it is, with rows of files or of a finished workflow."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from drr.errors import InputError
from dx2ct import layout
from dx2ct.benchmark.cohort import Benchmark
from dx2ct.benchmark.page import write_page
from dx2ct.benchmark.provenance import Provenance, read_provenance
from dx2ct.benchmark.rows import cpu_seconds, rows_of
from dx2ct.benchmark.tables import against, best, ranking, to_text
from dx2ct.report.provenance import data_of


def shown(files: Sequence[Path], directory: Path | None, run: str, output: Path | None, benchmark: Benchmark) -> str:
    """The tables as text; a page of them in `output`, if given.

    files: rows to be set among those that are there. directory: a finished workflow whose runs are ranked instead.
    run: that is set against the others; empty: the run of the first file, or the best.
    """
    if directory and files:
        raise InputError(f"--directory {directory}: its scans are others than those of {files[0]}: give one of the two")
    rows, provenance = _of_workflow(directory) if directory else _with_files(files, benchmark)
    named = run or (str(rows["run"].iloc[-1]) if files else best(rows))
    if named not in set(rows["run"]):
        raise InputError(f"--run {named}: no such run: choose {', '.join(sorted(set(rows['run'])))}")
    if output:
        is_phantom = directory is None or data_of(directory / layout.RESULTS / "cohort.tsv") == "phantom"
        write_page(rows, named, provenance, output, is_phantom=is_phantom)
    return to_text(ranking(rows, provenance), against(rows, named))


def _with_files(files: Sequence[Path], benchmark: Benchmark) -> tuple[pd.DataFrame, dict[str, Provenance]]:
    tables, provenance = [benchmark.rows], dict(benchmark.provenance)
    for path in files:
        rows = benchmark.read(path)
        for name in rows["run"].unique():
            if name in provenance:
                raise InputError(f"{path}: {name} is a run of the table already: rename it")
            said = path.with_suffix(".json")
            provenance[name] = read_provenance(said) if said.is_file() else Provenance(run=name)
        tables.append(rows)
    return pd.concat(tables, ignore_index=True), provenance


def _of_workflow(directory: Path) -> tuple[pd.DataFrame, dict[str, Provenance]]:
    """The runs of its results, each on the scans that all of them were scored on."""
    results = directory / layout.RESULTS
    found = [
        rows_of(path.parent, cpu_seconds(results, path.parent.name)) for path in sorted(results.glob("*/scores.csv"))
    ]
    if not found:
        raise InputError(f"{results}: no run was scored here: run the workflow first")
    rows = pd.concat(found, ignore_index=True)
    common = set.intersection(*(set(part["scan"]) for part in found))
    if not common:
        raise InputError(f"{results}: its runs share no test scan: rank runs of the same folds")
    return rows[rows["scan"].isin(common)], {}
