"""Scores of a ranking: one row a run, training and scan, as they are kept, submitted and compared."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from dx2ct import layout
from dx2ct.data.tables import read_frame
from dx2ct.scoring.run import read_fused, write_table

METRICS = (
    *("psnr_db", "ssim", "mae_hu", "dice_lung", "dice_bone", "sharpness"),
    *("reprojection_pa", "reprojection_lateral"),
)
KEY = ["run", "seed"]
COLUMNS = (*KEY, "cpu_s", "scan", *METRICS)
DIGITS = "%.5g"  # of the numbers in files
REMEDY = "write it by `dx2ct benchmark score`"


def rows_of(run: Path, cpu_s: float) -> pd.DataFrame:
    """The scores of a run's fused volumes with COLUMNS; a metric that it was not scored by is NaN.

    The folder's name ends in _seedN where the run has several trainings. cpu_s: of this one's.
    """
    name, _, seed = run.name.partition("_seed")
    table = read_fused(run).reindex(columns=list(METRICS)).reset_index()
    return table.assign(run=name, seed=int(seed or 0), cpu_s=round(cpu_s, 1))[list(COLUMNS)]


def read_rows(path: Path) -> pd.DataFrame:
    """Rows of a file with COLUMNS; InputError, naming it, where it has others."""
    return read_frame(path, REMEDY, text=("run", "scan"), columns=COLUMNS)[list(COLUMNS)]


def write_rows(rows: pd.DataFrame, output: Path) -> None:
    """Write rows as they are kept and submitted."""
    write_table(rows, output, DIGITS)


def cpu_seconds(results: Path, training: str) -> float:
    """What a training took by the workflow's benchmark; NaN where there is none.

    Of one that was interrupted: what its last part took, times all steps over that part's.
    """
    path = results.parent / layout.BENCHMARKS / "train" / f"{training}.tsv"
    if not path.is_file():
        return float("nan")
    last, path = pd.read_csv(path, sep="\t").iloc[-1], layout.training_log(layout.run(results, training))
    if not path.is_file():
        return _number(last["cpu_time"])
    log = pd.read_csv(path)
    began = log["seconds"].iloc[-1] - _number(last["s"])  # of the whole training's wall clock, which goes on
    before = float(np.interp(began, [0.0, *log["seconds"]], [0.0, *log["step"]]))
    steps = float(log["step"].iloc[-1])
    return _number(last["cpu_time"]) * steps / (steps - before)


def trainings(rows: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Run, seed and rows of every training."""
    for (run, seed), part in rows.groupby(KEY, sort=False):
        yield str(run), int(str(seed)), part


def _number(cell: object) -> float:
    """NaN for what Snakemake writes where a job was too short to measure."""
    return float(pd.to_numeric(pd.Series([cell]), errors="coerce").iloc[0])
