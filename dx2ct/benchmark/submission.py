"""From a folder of volumes to a row: looked at, scored, shown beside the rows that are there, and written."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dx2ct import layout
from dx2ct.benchmark.cohort import Benchmark
from dx2ct.benchmark.page import write_page
from dx2ct.benchmark.provenance import Provenance, write_provenance
from dx2ct.benchmark.rows import write_rows
from dx2ct.benchmark.score import faults, require_name, score_volumes, THEIRS
from dx2ct.benchmark.tables import against, ranking, to_text

OUTPUT = Path("benchmark")


@dataclass(frozen=True)
class Submission:
    """Volumes of one method and what is said of them.

    volumes: a path with {scan} in it, as seen from the folder, for each training. cpu_s: of one training, if known.
    """

    folder: Path
    volumes: tuple[str, ...]
    said: Provenance
    resample: bool = False
    cpu_s: float | None = None


def submit(submission: Submission, benchmark: Benchmark) -> tuple[list[str], str]:
    """Score, write FOLDER/benchmark/NAME.csv, .json and .html; faults, one line a file, or the text to print."""
    folder, said = submission.folder, submission.said
    volumes = submission.volumes or (THEIRS,)
    require_name(said.run, benchmark)
    if found := faults(folder, volumes, submission.resample, benchmark):
        total = len(volumes) * len(benchmark.tests)
        return [*found, f"{folder}: {len(found)} of {total} volumes cannot be scored, a row needs all"], ""
    rows = score_volumes(folder, said.run, volumes, submission.resample, submission.cpu_s, benchmark)
    output = folder / OUTPUT / f"{said.run}.csv"
    write_rows(rows, output)  # and read again: its digits are those of the rows beside it
    write_provenance(said, output.with_suffix(".json"))
    everything = pd.concat([benchmark.rows, benchmark.read(output)], ignore_index=True)
    provenance = benchmark.provenance | {said.run: said}
    runs = [layout.run(folder / layout.RESULTS, name) for name in _names(said.run, len(volumes))]
    write_page(everything, said.run, provenance, output.with_suffix(".html"), runs[:1], folder / layout.DATA)
    text = to_text(ranking(everything, provenance), against(everything, said.run))
    return [], f"{text}\n\n{_written(output)}"


def _names(run: str, trainings: int) -> list[str]:
    return [layout.seeded(run, seed) for seed in range(trainings)] if trainings > 1 else [run]


def _written(output: Path) -> str:
    page, said = output.with_suffix(".html"), output.with_suffix(".json")
    return f"wrote {page}\nto submit the row (docs/benchmark.md): {output} and {said}"
