"""Reconstructions of films against CTs of the same patients, which lie elsewhere: a row for each series of films."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drr.errors import InputError
from drr.progress import each
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.data.scans import read_grid, read_stack
from dx2ct.metrics.evaluation import Truth
from dx2ct.metrics.metric import Metric
from dx2ct.metrics.registry import FILM_METRICS
from dx2ct.metrics.unaligned import FilmCase
from dx2ct.scoring.run import write_table

VIEWS = ("pa", "lateral")
_SCALE_FREE = ("ctr", "unexplained")  # how names of metrics begin that a wrong size in mm hardly changes


def film_metrics() -> list[Metric]:
    """One for each column of scores."""
    return [one for metric in FILM_METRICS for one in metric.each(VIEWS)]


def score_films(run: Path, pairs: Sequence[tuple[str, str]], data: Path, output: Path) -> None:
    """Write a row for each pair of a series of films and a CT scan of the same patient.

    left_out: why a series was not reconstructed; its metrics are empty then. guessed_scale: views without a scale, of
    which sizes in mm say nothing. Raises InputError for records and volumes that are not there.
    """
    write_table(pd.DataFrame([_row(run, *pair, data) for pair in each(pairs, "films", "series")]), output)


def _row(run: Path, films: str, scan: str, data: Path) -> dict[str, Any]:
    record = _record(layout.film_record(run, films))
    if left_out := record.get("left_out"):
        head = {"films": films, "scan": scan, "views": "", "guessed_scale": "", "left_out": left_out}
        return head | {metric.name: np.nan for metric in film_metrics()}
    inputs: Mapping[str, Any] = record["inputs"]
    guessed = [view for view, one in inputs.items() if one["place"]["guessed"]]
    volume = read_volume(layout.film_volume(run, films))
    grid = read_grid(data, scan, volume.array.shape[0])
    truth = Truth(grid.volume(np.array(read_stack(data, scan, "axial", grid.size))))
    case = FilmCase(truth, volume.array, volume=volume, unexplained=record["unexplained"])
    head = {"films": films, "scan": scan, "views": " ".join(inputs), "guessed_scale": " ".join(guessed), "left_out": ""}
    return head | {metric.name: metric.measure(case) for metric in film_metrics()}


def _record(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}): run the film_predict stage again") from None
    return found


def write_film_table(runs: Sequence[Path], output: Path) -> None:
    """One row for each run and metric: mean, standard deviation, mean of the absolute values, over how many series.

    Series without a scale of their own are left out of all but ratios of widths and grey: their size is a guess.
    """
    rows = [_summary(run, metric) for run in runs for metric in film_metrics()]
    write_table(pd.DataFrame(rows), output)


def _summary(run: Path, metric: Metric) -> dict[str, Any]:
    path = run / "films.csv"
    try:
        # The engine in C turns a MemoryError of a read into a ParserError without its reason.
        scores = pd.read_csv(path, keep_default_na=False, na_values={metric.name: [""]}, engine="python")
        scaled = scores["guessed_scale"] == ""
        values = scores.loc[metric.name.startswith(_SCALE_FREE) | scaled, metric.name].dropna()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not the scores of films ({error}): run the film_scores stage again") from None
    return {
        "run": run.name,
        "metric": metric.name,
        "label": metric.label,
        "mean": values.mean(),
        "std": values.std(),
        "mean_absolute": values.abs().mean(),
        "series": len(values),
        "left_out": int((scores["left_out"] != "").sum()),
    }
