"""RUN/model_card.md: what a run's weights are, in the form that the Hugging Face Hub reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
import math
from pathlib import Path

from drr.files import replacing
from dx2ct import layout
from dx2ct.config import plain
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.tables import read_table
from dx2ct.methods import methods
from dx2ct.methods.saved import read_run
from dx2ct.methods.trained_on import read_trained_on
from dx2ct.metrics import measured
from dx2ct.report.provenance import data_of
from dx2ct.report.templating import environment
from dx2ct.scoring.run import read_fused, read_settings
from dx2ct.scoring.summary import means


@dataclass(frozen=True)
class Description:
    """A method in words: title, a paragraph of Markdown, its paper (empty: none is known).

    samples: it starts from noise. elsewhere: its volumes were made by others.
    """

    title: str
    card: str
    source: str = ""
    samples: bool = False
    elsewhere: bool = False


def write_model_cards(run: Path, sheet: Path, rows: Mapping[str | None, Sequence[Row]]) -> None:
    """Write the card of a run that was scored or, with folds, of each of its trainings, of the scans that it tests.

    rows: the scans of the sheet by fold, None where there is none.
    """
    for fold, some in rows.items():
        training = run.with_name(layout.folded(run.name, fold)) if fold else run
        if layout.settings(training).is_file() or not fold:  # a fold without a test scan is not trained
            write_model_card(training, sheet, some, is_scored=True, scored=run)


def write_model_card(run: Path, sheet: Path, rows: Sequence[Row], is_scored: bool, scored: Path | None = None) -> None:
    """Write the card from the run's settings.json and, where it is there, its training.csv.

    rows: the scans of the sheet that the run used. is_scored: its scores.csv belongs to these weights; right after a
    training it is that of the weights before. scored: the run whose scores.csv has those of its test scans.
    Raises InputError for files that cannot be read.
    """
    settings, data = read_settings(run), data_of(sheet)
    volume, splits = settings["volume"], Counter(row.split for row in rows)
    trained_on = read_trained_on(run) if layout.weights(run).is_file() else None
    tests = [row.scan for row in rows if row.split == "test"]
    text = (
        environment(is_html=False)
        .get_template("model_card.md.j2")
        .render(
            **_scores((scored or run) if is_scored else None, tests),
            method=describe(run),
            name=run.resolve().name,
            sheet=sheet.name,
            scored_on=data,
            data_short={"phantom": "procedural phantoms", "lidc": "LIDC-IDRI", "own": sheet.name}[data],
            stages=trained_on.stages if trained_on else (),
            data=sorted({stage.data for stage in trained_on.stages}) if trained_on else [data],
            is_trained=settings.get("train", {}).get("steps", 1) > 0,
            counts={split: splits[split] for split in ("train", "val", "test")},
            size=settings["slices"]["size"],
            cube_mm=volume["size"] * volume["spacing_mm"],
            start_share=settings.get("train", {}).get("start_share", 0),
            last=_last_line(layout.training_log(run)),
            settings=json.dumps(settings, indent=2, sort_keys=True),
        )
    )
    with replacing(layout.model_card(run)) as part:
        part.write_text(text.rstrip() + "\n", encoding="utf-8")


def describe(run: Path) -> Description:
    """The method of a run in its own words, filled in with the run's row; of an unknown one its name and no more."""
    name = read_settings(run)["run"].get("method")
    if name not in methods():
        return Description(str(name), f"Method `{name}`, which this version of dx2ct does not know.")
    method, settings = read_run(run)
    row = plain(settings.run)
    text = environment(is_html=False).from_string(method.card).render(**row)
    return Description(method.title, " ".join(text.split()), method.source, method.samples, "trained_on" in row)


def _scores(run: Path | None, tests: Sequence[str]) -> dict[str, object]:
    """Means of the headline metrics that are known, of the mean volumes of test scans; of no run none."""
    if run is None:
        return {"scores": {}, "scored": 0, "data_range_hu": 0.0}
    fused = read_fused(run)
    fused = fused[fused.index.isin(tests)]
    found = means(fused, [metric for metric in measured(()) if metric.headline])
    known = {name: value for name, value in found.items() if math.isfinite(value)}
    return {"scores": known, "scored": len(fused), "data_range_hu": float(fused["data_range_hu"].iloc[0])}


def _last_line(log: Path) -> dict[str, str]:
    """Of training.csv; empty for a method that has none."""
    lines = read_table(log, "train the run again") if log.is_file() else []
    return {key: value for key, value in lines[-1].items() if value} if lines else {}
