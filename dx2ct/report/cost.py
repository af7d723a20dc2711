"""What a run costs, as far as its files and the workflow's benchmarks say."""

import csv
import json
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

from drr.errors import InputError
from dx2ct.report.table import Cell
from dx2ct.scoring.run import read_settings

NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")


def cost_of(run: Path, benchmarks: Path) -> dict[str, Cell]:
    """A row of the table cost; None for what is not known.

    gflop: of RUN/profile.json where somebody asked for it, else counted from the settings of DX2CT, without a pass.
    """
    passes = [
        line for path in sorted((benchmarks / "reconstruct" / run.name).glob("*.tsv")) for line in _lines(path, "\t")
    ]
    training = _lines(run / "training.csv", ",")
    trained = _lines(benchmarks / "train" / f"{run.name}.tsv", "\t")
    seconds = _numbers(training[-1:], "seconds") or _numbers(trained[-1:], "s")
    return {
        "run": run.name,
        "parameters": _parameters(run / "weights.safetensors"),
        "gflop": _gflop(run),
        "train_h": seconds[0] / 3600 if seconds else None,
        "train_mb": max(_numbers(trained, "max_rss"), default=None),
        "reconstruct_s": median(_numbers(passes, "s")) if passes else None,
        "reconstruct_mb": max(_numbers(passes, "max_rss"), default=None),
    }


def _parameters(weights: Path) -> int | None:
    """Numbers in the file by its header (8 bytes of length, then JSON), less what batch normalisation counts."""
    if not weights.is_file():
        return None
    try:
        with weights.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise InputError(f"{weights}: not a file of weights ({error}): train the run again") from None
    return sum(int(prod(shape)) for name, shape in tensors.items() if not name.endswith(NO_PARAMETERS))


def _gflop(run: Path) -> float | None:
    profile = run / "profile.json"
    if profile.is_file():
        try:
            found = json.loads(profile.read_text())
            return float(sum(found["forward_flop"].values()) / found["batch"] / 1e9)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{profile}: not a profile ({error}): delete it or run the profile stage again") from None
    return _counted(read_settings(run))


def _counted(settings: dict[str, Any]) -> float | None:
    if settings["run"]["method"] != "dx2ct":
        return None
    from dx2ct.config import Dx2ctSettings, parse
    from dx2ct.profiling.rehearsal import operations  # torch

    try:
        parsed = parse(Dx2ctSettings, json.dumps(settings))
    except InputError:  # of a training by an older version, whose keys were others
        return None
    flop = sum(count for (_, direction), count in operations(parsed).items() if direction == "forward")
    return flop / parsed.train.batch / 1e9


def _lines(path: Path, delimiter: str) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _numbers(lines: list[dict[str, str]], key: str) -> list[float]:
    """Those that are numbers: Snakemake writes NA or - for what was too short to measure."""
    found = []
    for line in lines:
        try:
            found.append(float(line.get(key) or "NA"))
        except ValueError:
            continue
    return found
