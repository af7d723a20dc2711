"""LIDC-IDRI's own films in the workflow; tests/dx2ct/predict/test_film_series.py runs the stages themselves."""

from pathlib import Path

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
