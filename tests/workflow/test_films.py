"""LIDC-IDRI's own films in the workflow; tests/dx2ct/predict/test_film_series.py runs the stages themselves."""

import os
from pathlib import Path
import shutil
from typing import Any

import pandas as pd
import pytest

from dx2ct import layout
from tests.dx2ct.data.lidc.archive import archive
from tests.dx2ct.data.lidc.harness import SETTINGS, source
from tests.dx2ct.predict.test_film_series import serve_films
from tests.workflow.snake import jobs, ROOT, run

LIDC = ROOT / "workflow/config/lidc_films.yaml"


def test_films_are_fetched_told_reconstructed_and_scored(tmp_path: Path) -> None:
    """Ten patients, three of whom are tested."""
    limited = {"cohort": {"limit": 10}, "report": ["lift"]}
    done = run(tmp_path, "-n", "results/films.csv", config=limited, base=LIDC)
    assert done.returncode == 0, done.stdout
    planned = jobs(done.stdout)
    films = planned["film_views"]
    assert films == planned["film_predict"] == 3
    assert planned["film_scores"] == planned["film_table"] == planned["train"] == 1
    assert planned["fetch"] == planned["volume"] + films
    assert planned["volume"] == planned["slices"]


def test_a_cohort_without_films_refuses_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "-n", "results/films.csv")
    assert done.returncode != 0
    assert done.stdout.strip().splitlines()[-1].startswith("error: ") and "no films (modality DX or CR)" in done.stdout


@pytest.mark.slow
def test_the_rules_run_from_the_archive_to_the_table(tmp_path: Path) -> None:
    """Films are fetched; CTs are prepared and weights trained already, so that these are left alone."""
    names = ("whole", "untold")
    series = serve_films(tmp_path, names)
    lines = [["scan", "patient", "modality", "series_uid", "images", "bytes", "idc_uuid", "split_own"]]
    for number, (name, one) in enumerate(zip(names, series, strict=True)):
        lines.append([name, name, "CT", f"1.2.3.{number + 1}", "1", "", "", "test"])
        lines.append([f"{name}-DX", name, "DX", one.uid, str(len(one.files)), str(one.size), one.uuid, ""])
        raw = layout.raw(tmp_path / "data", name)
        raw.parent.mkdir(exist_ok=True)
        raw.touch()
        os.utime(raw, (0, 0))
    (tmp_path / "sheet.tsv").write_text("\n".join("\t".join(line) for line in lines) + "\n")
    shutil.copytree(ROOT / "examples/chest_model", tmp_path / "results/chest")
    config: dict[str, Any] = {"cohort": {"source": "lidc", "sheet": "sheet.tsv", "split": "own"}}
    with archive(*series, most_seconds=600) as server:
        config["download"] = SETTINGS | {"sources": [source("idc", server.url)]}
        words = ("results/films.csv", "--cores", "1")
        done = run(tmp_path, *words, config=config, base=ROOT / "workflow/config/chest_model.yaml")
    assert done.returncode == 0, done.stdout
    expected = {"fetch": 2, "film_views": 2, "film_predict": 2, "film_scores": 1, "film_table": 1}
    assert jobs(done.stdout) == expected
    table = pd.read_csv(tmp_path / "results/films.csv").set_index("metric")
    assert table.loc["dice_lung_registered", "series"] == 1 and (table["left_out"] == 1).all()
    assert table.loc["dice_lung_registered", "mean"] > 0.7
