"""Rows with folds and rows that start from another: for real at their smallest, and which change runs what again."""

import csv
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from drr.volume import read_volume
from dx2ct.methods.trained_on import read_trained_on
from tests.fabricate import random_run, tiny, weights_of
from tests.workflow.snake import jobs, ROOT, run

pytestmark = pytest.mark.slow
HEAD, *ROWS = (ROOT / "workflow/resources/smoke.tsv").read_text().splitlines()
PARTS = {  # of phantom-001, phantom-002 and phantom-021
    "a": ("train", "train", "test"),
    "b": ("test", "train", "train"),
    "c": ("train", "test", "train"),
}
FINE = {"method": "lift", "drop_views": 0.5, "over": {"train": {"start_from": "lift", "steps": 2}}}
CONFIG: dict[str, Any] = {
    "cohort": {"sheet": "folds.tsv"},
    "folds": ["a", "b"],
    "runs": {"fine": FINE},
    "report": ["mean", "lift", "fine"],
}


def write_sheet(path: Path, parts: dict[str, tuple[str, ...]] | None = None) -> None:
    """The smoke sheet with a column for each fold."""
    parts = PARTS if parts is None else parts
    lines = ["\t".join([HEAD, *(f"split_{name}" for name in parts)])]
    lines += ["\t".join([row, *(column[k] for column in parts.values())]) for k, row in enumerate(ROWS)]
    path.write_text("\n".join(lines) + "\n")


# ---- for real


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds")
    write_sheet(folder / "folds.tsv")
    finished = run(folder, config=CONFIG)
    assert finished.returncode == 0, finished.stdout
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_scan_counts_once_in_metrics_and_comparisons(done: Path) -> None:
    rows = {row["run"]: row for row in table(done / "results/metrics.csv")}
    assert set(rows) == {"mean", "lift", "fine"}
    assert all((row["scans"], row["folds"], row["trainings"]) == ("2", "2", "1") for row in rows.values())
    for name in rows:
        fused = [row for row in table(done / f"results/{name}/scores.csv") if row["plane"] == "mean"]
        assert sorted(row["scan"] for row in fused) == ["phantom-001", "phantom-021"]
        assert float(rows[name]["psnr_db"]) == pytest.approx(
            np.mean([float(row["psnr_db"]) for row in fused]), abs=1e-4
        )
    pairs = {
        (row["run"], row["other"]): row for row in table(done / "results/comparisons.csv") if row["metric"] == "ssim"
    }
    assert set(pairs) == {("mean", "lift"), ("mean", "fine"), ("lift", "fine")}
    assert all(row["scans"] == "2" for row in pairs.values())


def test_a_scan_is_reconstructed_by_what_has_not_seen_it(done: Path) -> None:
    """The mean volume shows it: it is that of the scans that the fold trains on."""
    for scan, others in {"phantom-001": (2, 21), "phantom-021": (1, 2)}.items():
        stacks = [np.load(done / f"data/slices/phantom-{number:03}/axial.npy") for number in others]
        expected = np.mean([np.clip(stack, -1024, 1476) for stack in stacks], axis=0)
        found = read_volume(done / f"results/mean/volumes/{scan}.nii.gz").array
        assert np.abs(found - expected).max() <= 1
    assert json.loads((done / "results/mean/folds.json").read_text()) == {"a": "mean_a", "b": "mean_b"}


def test_each_fold_says_what_it_was_trained_on(done: Path) -> None:
    for fold in "ab":
        trained_on = read_trained_on(done / f"results/fine_{fold}")
        assert trained_on and [(one.fold, one.scans, one.steps) for one in trained_on.stages] == [
            (fold, 2, 3),
            (fold, 2, 2),
        ]
        card = (done / f"results/fine_{fold}/model_card.md").read_text()
        assert f"2 procedural phantoms of folds.tsv (fold {fold}), 2 steps" in card and "Means over 1 scan" in card
    page = (done / "results/report.html").read_text()
    assert "Scans of mean, lift, fine, trained once for each fold" in page
    assert page.count('<th scope="row">a</th><td class="number">2</td><td class="number">0</td>') == 1
    assert "Scans used, divided by patient" not in page


def test_the_same_command_again_does_nothing(done: Path) -> None:
    assert "Nothing to be done" in run(done, config=CONFIG).stdout


def test_a_run_with_folds_is_no_model(done: Path) -> None:
    line = [sys.executable, "-m", "dx2ct", "predict", "--model", str(done / "results/fine"), "--pa", "x.png"]
    refused = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith("results/fine: has weights for each of its folds and none of its own: "
                                           f"take {done}/results/fine_FOLD")  # fmt: skip


# ---- what runs again


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where everything is done: empty files, with the records that Snakemake keeps of real ones."""
    folder = tmp_path_factory.mktemp("finished")
    write_sheet(folder / "folds.tsv")
    random_run(folder / "model", tiny("lift", {"drop_views": 0.5}))
    for words in (("--summary",), ("--touch", "--forceall")):
        text = plan(folder, CONFIG | {"report": [*CONFIG["report"], "far"], "runs": {"fine": FINE} | FAR}, *words)
        for line in text.splitlines():
            if line.startswith(("data/", "results/")):
                path = folder / line.split("\t")[0]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return folder


FAR = {"far": {"method": "lift", "drop_views": 0.5, "folds": [], "over": {"train": {"start_from": "./model"}}}}


def plan(folder: Path, config: dict[str, Any], *arguments: str) -> str:
    planned = run(folder, *arguments, config=config)
    assert planned.returncode == 0, planned.stdout
    return planned.stdout


def rerun(folder: Path, **values: Any) -> dict[str, int]:
    return jobs(plan(folder, CONFIG | values, "results/fine/scores.csv", "--dry-run"))


def test_a_changed_source_trains_what_starts_from_it_again(finished: Path) -> None:
    again = {"train": 4, "folds": 1, "reconstruct": 2, "score": 1}
    assert rerun(finished) == {}
    assert rerun(finished, methods={"lift": {"train": {"beta1": 0.8}}}) == again
    own = FINE | {"over": {"train": {"start_from": "lift", "steps": 9}}}
    assert rerun(finished, runs={"fine": own}) == again | {"train": 2}
    alone = FINE | {"over": {"train": {"steps": 2}}}
    assert rerun(finished, runs={"fine": alone}) == again | {"train": 2}, "from another start"


def test_a_folder_that_was_replaced_trains_again(finished: Path) -> None:
    rows = {"runs": {"fine": FINE} | FAR, "report": ["far"]}
    target = ("results/far/scores.csv", "--dry-run")
    assert jobs(plan(finished, CONFIG | rows, *target)) == {}
    other = {name: value + 1 for name, value in weights_of(finished / "model").items()}
    save_file(other, finished / "model/weights.safetensors")
    again = jobs(plan(finished, CONFIG | rows, *target))
    assert again == {"train": 1, "reconstruct": 1, "score": 1}


def test_a_fold_runs_again_when_its_column_changes_and_another_is_added_alone(finished: Path) -> None:
    write_sheet(finished / "changed.tsv", PARTS | {"a": ("train", "", "test")})
    assert rerun(finished, cohort={"sheet": "changed.tsv"}) == {"train": 2, "folds": 1, "reconstruct": 1, "score": 1}
    more = rerun(finished, folds=["a", "b", "c"])
    assert more == {"train": 2, "folds": 1, "reconstruct": 1, "score": 1}
    fewer = rerun(finished, folds=["a"])
    assert fewer == {"folds": 1, "score": 1}
