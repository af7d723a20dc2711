"""What a run costs, as far as its files and the workflow's benchmarks say."""

from collections.abc import Sequence
import json
from math import prod
from pathlib import Path
from statistics import median

from safetensors import safe_open, SafetensorError

from drr.errors import InputError
from dx2ct import layout
from dx2ct.data.tables import read_table, Row
from dx2ct.report.table import Cell, Column
from dx2ct.scoring.run import trainings_of

NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")  # what batch normalisation counts
COST = (
    Column("parameters", "parameters", 0),
    Column("gflop", "GFLOP a slice", 2),
    Column("train_h", "training, h", 2),
    Column("train_mb", "training, MB", 0),
    Column("reconstruct_s", "one scan, s (median)", 1),
    Column("reconstruct_mb", "one scan, MB", 0),
)


def cost_of(run: Path, benchmarks: Path) -> dict[str, Cell]:
    """A row of the table cost; None for what is not known.

    gflop: of RUN/profile.json where somebody asked for it, else counted from the settings of DX2CT, without a pass.
    A method of whole volumes has none: its pass is no slice. Of a run with folds train_h is of all its trainings.
    """
    passes = [
        row for path in sorted((benchmarks / "reconstruct" / run.name).glob("*.tsv")) for row in _rows(path, "\t")
    ]
    trainings = trainings_of(run)
    trained = [row for one in trainings for row in _rows(benchmarks / "train" / f"{one.name}.tsv", "\t")]
    seconds = [value for one in trainings for value in _seconds(one, benchmarks)]
    return {
        "run": run.name,
        "parameters": _parameters(layout.weights(trainings[0])),
        "gflop": _gflop(run),
        "train_h": sum(seconds) / 3600 if len(seconds) == len(trainings) else None,
        "train_mb": max(_numbers(trained, "max_rss"), default=None),
        "reconstruct_s": median(_numbers(passes, "s")) if passes else None,
        "reconstruct_mb": max(_numbers(passes, "max_rss"), default=None),
    }


def _seconds(training: Path, benchmarks: Path) -> list[float]:
    """How long a training took, by its own log or by the workflow's; none where neither says."""
    logged = _numbers(_rows(layout.training_log(training), ",")[-1:], "seconds")
    return logged or _numbers(_rows(benchmarks / "train" / f"{training.name}.tsv", "\t")[-1:], "s")


def _parameters(weights: Path) -> int | None:
    """Numbers in the file by its header."""
    if not weights.is_file():
        return None
    try:
        with safe_open(weights, "np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise InputError(f"{weights}: not a file of weights ({error}): train the run again") from None
    return sum(int(prod(shape)) for name, shape in shapes.items() if not name.endswith(NO_PARAMETERS))


def _gflop(run: Path) -> float | None:
    profile = layout.profile(run)
    if profile.is_file():
        try:
            found = json.loads(profile.read_text())
            if "reconstruction_flop" in found:
                return None
            return float(sum(found["forward_flop"].values()) / found["batch"] / 1e9)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{profile}: not a profile ({error}): delete it or run the profile stage again") from None
    return _counted(run)


def _counted(run: Path) -> float | None:
    """From the settings, where they are those of a network whose operations can be counted."""
    from dx2ct.methods.dx2ct.settings import Dx2ctSettings
    from dx2ct.methods.saved import read_run

    try:
        _, settings = read_run(run)
    except InputError:  # of a method or a version that is not known here
        return None
    if not isinstance(settings, Dx2ctSettings):
        return None
    from dx2ct.profiling.rehearsal import operations  # torch

    flop = sum(count for (_, direction), count in operations(settings).items() if direction == "forward")
    return flop / settings.train.batch / 1e9


def _rows(path: Path, delimiter: str) -> list[Row]:
    return read_table(path, "delete it", delimiter) if path.is_file() else []


def _numbers(rows: Sequence[Row], key: str) -> list[float]:
    """Those that are numbers: Snakemake writes NA or - for what was too short to measure."""
    found = []
    for row in rows:
        try:
            found.append(float(row.get(key) or "NA"))
        except ValueError:
            continue
    return found
