"""RUN/model_card.md: what a run's weights are, in the form that the Hugging Face Hub reads."""

from collections import Counter
from collections.abc import Sequence
import csv
import json
import math
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from drr.errors import InputError
from drr.files import replacing
from dx2ct.data.cohort.sheet import Row
from dx2ct.scoring.run import ABLATIONS, FUSED, METRICS, read_scores, read_settings

CARD = "model_card.md"


def write_model_card(run: Path, sheet: Path, rows: Sequence[Row]) -> None:
    """Write the card from the run's settings.json and, where they are there, its training.csv and scores.csv.

    rows: the scans of the sheet that the run used. Raises InputError for files that cannot be read.
    """
    settings = read_settings(run)
    head = _head(sheet)
    is_phantom, is_lidc = "seed" in head, "idc_uuid" in head
    row, volume = settings["run"], settings["volume"]
    splits = Counter(r.split for r in rows)
    environment = Environment(
        loader=PackageLoader("dx2ct.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template("model_card.md.j2").render(
        **dict.fromkeys(ABLATIONS) | row,
        **_scores(run),
        name=run.resolve().name,
        sheet=sheet.name,
        is_phantom=is_phantom,
        is_lidc=is_lidc,
        data_short="procedural phantoms" if is_phantom else "LIDC-IDRI" if is_lidc else sheet.name,
        counts={split: splits[split] for split in ("train", "val", "test")},
        size=settings["slices"]["size"],
        cube_mm=volume["size"] * volume["spacing_mm"],
        last=_last_line(run / "training.csv"),
        settings=json.dumps(settings, indent=2, sort_keys=True),
    )
    with replacing(run / CARD) as part:
        part.write_text(text.rstrip() + "\n", encoding="utf-8")


def _head(sheet: Path) -> list[str]:
    try:
        return sheet.read_text(encoding="utf-8").partition("\n")[0].split("\t")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{sheet}: sheet cannot be read ({error})") from None


def _scores(run: Path) -> dict[str, object]:
    """Means of the metrics that are known, of the mean volume."""
    if not (run / "scores.csv").is_file():
        return {"scores": {}, "scored": 0, "data_range_hu": 0.0}
    table = read_scores(run)
    table = table[table["plane"] == FUSED]
    means = {metric: float(table[metric].mean(skipna=False)) for metric in METRICS}
    known = {metric: value for metric, value in means.items() if math.isfinite(value)}
    return {"scores": known, "scored": len(table), "data_range_hu": float(table["data_range_hu"].iloc[0])}


def _last_line(log: Path) -> dict[str, str]:
    """Of training.csv; empty for a method that has none."""
    if not log.is_file():
        return {}
    with log.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    return {key: value for key, value in lines[-1].items() if value} if lines else {}
