"""The stages about films and styles, for the table of stage_faults.py: what they read, and their command lines."""

from pathlib import Path
import zipfile

import numpy as np

from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import plain, to_json
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.predict.film_stack import write_films
from tests.fabricate import pa
from tests.fabricate.film_series import Shot, SPACING, write_shots
from tests.fabricate.films import films_settings, style_settings, write_film

SHOTS = [
    Shot("pa", {"ViewPosition": "PA", "PatientOrientation": ["L", "F"], **SPACING}),
    Shot("lateral", {"ViewPosition": "LL", "PatientOrientation": ["P", "F"], **SPACING}),
]
SIZE, SPACING_MM = 64, 5.0


def make(good: Path) -> None:
    """One film for the stage that reads them, twelve for those after it, and a series of a PA and a lateral."""
    write_film(good / "films/only.png", pa())
    for number in range(12):
        write_film(good / f"data/raw/{number}.png", np.clip(pa() + 0.01 * number, 0, 1))
    write_films(films_settings([_source(good / "data/raw")], held_out=0.3), good / "data")
    volume = Volume(draw(1, SIZE, SPACING_MM), (SPACING_MM,) * 3, (-160.0, -160.0, -160.0))
    with zipfile.ZipFile(layout.raw(good / "data", "a"), "w") as packed:
        for number, film in enumerate(write_shots(good / "shots", "1.2.840.99.1", volume, SHOTS)):
            packed.writestr(f"{number}.dcm", film)


def _source(folder: object) -> dict[str, str]:
    return {"kind": "folder", "path": str(folder), "view": "pa"}


def lines() -> dict[str, tuple[str, str, str | None]]:
    """By stage its command line, what it reads, below {good}, and its settings."""
    data, sheet, model = "--data {good}/data", "--sheet {good}/data/sheet.tsv", "{good}/results/copies"
    films = to_json(plain(films_settings([_source("{good}/films") | {"files": "only.png"}])))
    archive, views, styles = "data/raw/a.zip", "{good}/data/film_series/a.json", "{good}/results/style"
    cpu = "--device cpu --threads 1"
    return {
        "style-films": ("style-films --data {out}/data", "films/only.png", films),
        "style-train": (
            f"style-train {sheet} {data} {cpu} -o {{out}}/style/pa",
            "data/films/pa.npy",
            to_json(plain(style_settings())),
        ),
        "style-transfer": (
            f"style-transfer scan-3 --style {{out}}/pa {data} {cpu}",
            "data/xrays/scan-3/pa.mha",
            None,
        ),
        "style-gap": (
            f"style-gap scan-3 --copies 9 --style {styles}/pa {data} {cpu} -o {{out}}/gap.json",
            "data/xrays/scan-3/pa.mha",
            None,
        ),
        "figure4": (
            f"figure4 {{good}}/results/model --scan scan-3 --style {styles} {data} -o {{out}}/figure4",
            "results/model/volumes/scan-3.nii.gz",
            None,
        ),
        "film-views": (f"film-views {{good}}/{archive} -o {{out}}/a.json", archive, None),
        "film-predict": (
            f"film-predict {{good}}/{archive} --run {model} --views {views} {cpu} -o {{out}}/films/a.run.json",
            "data/film_series/a.json",
            None,
        ),
        "film-scores": (
            f"film-scores a=scan-3 --run {model} {data} -o {{out}}/films.csv",
            "results/copies/films/a.nii.gz",
            None,
        ),
        "film-table": (f"film-table {model} -o {{out}}/films.csv", "results/copies/films.csv", None),
        "film-figure": (f"film-figure a --run {model} {data} -o {{out}}/films.png", archive, None),
    }


# As KEPT of stage_faults.py.
KEPT = {
    "style-train": {"style": "results/style"},
    "style-transfer": {"pa/xrays": "results/style/pa/xrays"},
    "film-views": {"a.json": "data/film_series/a.json"},
    "film-predict": {"films": "results/copies/films"},
    "film-scores": {"films.csv": "results/copies/films.csv"},
}
