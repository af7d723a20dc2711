"""Which change runs which rules again, and which changes nothing: by dry runs over finished outputs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.snake import jobs, ROOT, run, SMOKE

REPORT = {"metrics", "report"}
SCORE = {"score"} | REPORT
RECONSTRUCT = {"reconstruct"} | SCORE
TRAIN = {"train"} | RECONSTRUCT
SHEET = (ROOT / "workflow/resources/smoke.tsv").read_text()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where everything is done: empty files, with the records that Snakemake keeps of real ones."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "sheet.tsv").write_text(SHEET)
    summary = run(folder, "--summary").stdout
    for line in summary.splitlines():
        if line.startswith(("data/", "results/")):
            path = folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert run(folder, "--touch", "--forceall").returncode == 0
    return folder


def rerun(folder: Path, config: dict[str, Any] | None = None) -> set[str]:
    planned = run(folder, "--dry-run", config=config)
    assert planned.returncode == 0, planned.stdout
    return set(jobs(planned.stdout))


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        (None, set()),
        ({"volume": {"spacing_mm": 3.0}}, {"volume", "xray", "slices"} | TRAIN),
        ({"xray": {"geometry": "perx2ct"}}, {"xray"} | TRAIN),
        ({"slices": {"size": 16}}, {"slices"} | TRAIN),
        ({"model": {"unet": {"dropout": 0.1}}}, TRAIN),
        ({"diffusion": {"beta_end": 0.03}}, TRAIN),
        ({"train": {"seed": 1}}, TRAIN),
        ({"runs": {"dx2ct": {"views": ["pa"]}}}, TRAIN),
        ({"reconstruct": {"steps": 3}}, RECONSTRUCT),
        ({"score": {"data_range_hu": 4095.0}}, SCORE),
        ({"report": ["dx2ct"]}, REPORT),
        ({"report": ["dx2ct", "mean"]}, REPORT),
        # as many values as before, so that comparing them without their names would see no change
        ({"diffusion": {"beta_start": 0.02, "beta_end": 0.0001}}, TRAIN),
    ],
)
def test_a_change_runs_what_depends_on_it(finished: Path, config: dict[str, Any] | None, rules: set[str]) -> None:
    assert rerun(finished, config) == rules


def test_a_changed_model_leaves_the_mean_volume_alone(finished: Path) -> None:
    planned = run(finished, "--dry-run", config={"train": {"steps": 5}}).stdout
    assert jobs(planned) == {"train": 1, "reconstruct": 1, "score": 1, "metrics": 1, "report": 1}


def test_a_new_run_that_is_not_reported_runs_nothing(finished: Path) -> None:
    assert rerun(finished, {"runs": {"second_mean": {"method": "mean"}}}) == set()


def test_comments_and_order_of_the_yaml_mean_nothing(finished: Path) -> None:
    def backwards(value: Any) -> Any:
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    config = backwards(yaml.safe_load(SMOKE.read_text()))
    assert list(config) != list(yaml.safe_load(SMOKE.read_text()))
    assert rerun(finished, config) == set()


def test_moving_the_sheet_means_nothing(finished: Path) -> None:
    assert rerun(finished, {"cohort": {"sheet": "sheet.tsv"}}) == set()


@pytest.mark.parametrize(
    ("old", "new", "rules", "trained"),
    [
        ("\t1\t", "\t7\t", {"phantom", "volume", "xray", "slices"} | TRAIN, 2),  # the seed of a training phantom
        ("\t21\t", "\t7\t", {"phantom", "volume", "xray", "slices"} | RECONSTRUCT, 0),  # of a test phantom
    ],
)
def test_another_phantom(finished: Path, old: str, new: str, rules: set[str], trained: int) -> None:
    (finished / "changed.tsv").write_text(SHEET.replace(old, new))
    planned = jobs(run(finished, "--dry-run", config={"cohort": {"sheet": "changed.tsv"}}).stdout)
    assert set(planned) == rules
    assert planned.get("train", 0) == trained
    assert planned["phantom"] == 1
