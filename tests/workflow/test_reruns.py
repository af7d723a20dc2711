"""Which change runs which rules again, and which changes nothing: by dry runs over finished outputs."""

import json
import os
from pathlib import Path
import shutil
from typing import Any

import pytest
import yaml

from drr.errors import InputError
from dx2ct.data.prepare.failed import recorded
from dx2ct.planning import Plan
from tests.workflow.snake import jobs, ROOT, run, SMOKE

pytestmark = pytest.mark.slow
VIEWS = {"pa": "pa", "lateral": "lateral"}
REPORT = {"metrics", "tables", "figures", "report"}
SCORE = {"score"} | REPORT
RECONSTRUCT = {"reconstruct"} | SCORE
TRAIN = {"train"} | RECONSTRUCT
COHORT = {"cohort", "figures", "report"}  # the table of scans in use is written anew and reported
# one more test scan than the smoke cohort, so that one can fail
SHEET = (ROOT / "workflow/resources/smoke.tsv").read_text() + "\t".join(
    ["test-2", "test-2", "data/raw/test-2.zip", "", "test", "22", "", "", "\n"]
)


def dx2ct(**sections: Any) -> dict[str, Any]:
    """A change of DX2CT's own sections."""
    return {"methods": {"dx2ct": sections}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where everything is done: empty files, with the records that Snakemake keeps of real ones."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "sheet.tsv").write_text(SHEET)
    summary = plan(folder, "--summary")
    for line in summary.splitlines():
        if line.startswith(("data/", "results/")):
            path = folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    plan(folder, "--touch", "--forceall")
    return folder


def plan(folder: Path, *arguments: str, config: dict[str, Any] | None = None) -> str:
    planned = run(folder, *arguments, config={"cohort": {"sheet": "sheet.tsv"}} | (config or {}))
    assert planned.returncode == 0, planned.stdout
    return planned.stdout


def rerun(folder: Path, config: dict[str, Any] | None = None) -> dict[str, int]:
    return jobs(plan(folder, "--dry-run", config=config))


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        (None, set()),
        ({"volume": {"spacing_mm": 3.0}}, {"volume", "xray", "slices"} | TRAIN),
        ({"xray": {"geometry": "perx2ct"}}, {"xray"} | TRAIN),
        ({"xray": {"attenuation": "water:60"}}, {"xray"} | TRAIN),
        ({"xray": {"views": VIEWS}}, set()),  # the default, now said
        ({"slices": {"size": 16}}, {"slices"} | TRAIN),
        (dx2ct(model={"unet": {"dropout": 0.1}}), TRAIN),
        (dx2ct(diffusion={"beta_end": 0.03}), TRAIN),
        (dx2ct(train={"seed": 1}), TRAIN),
        (dx2ct(train={"accumulate": 1}), TRAIN),  # batch norm sees one part at a time
        (dx2ct(train={"validation": {"every": 3}}), TRAIN),
        (dx2ct(train={"beta1": 0.5}), TRAIN),
        (dx2ct(train={"beta1": 0.9, "weight_decay": 0.0}), set()),  # the defaults, now said
        ({"engine": {"compile": True, "memory_format": "channels_last", "tensorboard": False}}, set()),
        ({"runs": {"dx2ct": {"views": ["pa"]}}}, TRAIN),
        ({"methods": {"cnn2d": {"train": {"steps": 3}}}}, set()),  # of a run that is not reported
        ({"reconstruct": {"steps": 3}}, RECONSTRUCT),
        ({"reconstruct": {"consistency": {"iterations": 3}}}, RECONSTRUCT),
        ({"score": {"data_range_hu": 4095.0}}, SCORE),
        ({"report": ["dx2ct"]}, REPORT),
        ({"report": ["dx2ct", "mean"]}, REPORT),
        ({"style": {"pixels": 64}}, set()),  # which no run of the report looks at
        ({"download": {"tries": 9}}, set()),
        ({"cohort": {"sheet": "sheet.tsv", "limit": 99}}, set()),
        ({"cohort": {"sheet": "sheet.tsv", "limit": 3}}, TRAIN | COHORT),  # one patient less to train on
        # as many values as before, so that comparing them without their names would see no change
        (dx2ct(diffusion={"beta_start": 0.02, "beta_end": 0.0001}), TRAIN),
    ],
)
def test_a_change_runs_what_depends_on_it(finished: Path, config: dict[str, Any] | None, rules: set[str]) -> None:
    assert set(rerun(finished, config)) == rules


OBLIQUE = {"xray": {"views": VIEWS | {"oblique": {"gantry": 45, "tilt": 10}}}}


def test_another_view_is_rendered_and_compared_and_nothing_else_is_done_again(finished: Path) -> None:
    assert rerun(finished, OBLIQUE) == {"xray": 2, "score": 2} | dict.fromkeys(REPORT, 1)
    seen = OBLIQUE | {"report": ["mean", "dx2ct", "other"], "runs": {"other": {"method": "sart", "views": ["oblique"]}}}
    fresh = {"xray": 4, "train": 1, "reconstruct": 2, "score": 3}
    assert rerun(finished, seen) == fresh | dict.fromkeys(REPORT, 1), "dx2ct is not trained again"


def test_an_exposure_is_rendered_anew_for_the_runs_that_look_at_it(finished: Path) -> None:
    """Also where X-rays of a further view are missing, of which Snakemake knows nothing."""
    turned = {"xray": {"views": OBLIQUE["xray"]["views"] | {"pa": {"gantry": 170}}}}
    planned = rerun(finished, turned)
    assert planned == {"xray": 4 + 2, "train": 1, "reconstruct": 2, "score": 2} | dict.fromkeys(REPORT, 1)


def test_several_gpus_rerun_nothing_and_are_torchruns(finished: Path) -> None:
    gpus = ["--set-resources", "train:gpu=2", "--resources", "gpu=2"]
    assert jobs(plan(finished, "--dry-run", *gpus)) == {}
    text = plan(finished, "--dry-run", "--printshellcmds", "-R", "train", *gpus)
    assert text.count("torchrun --standalone --nproc-per-node 2 -m dx2ct train") == 1, "the mean volume needs none"
    assert text.count("python -m dx2ct train") == 1


@pytest.mark.parametrize(
    ("gone", "planned"),
    [
        ("results/dx2ct", {"train": 1, "reconstruct": 2, "score": 1} | dict.fromkeys(REPORT, 1)),
        ("results/mean/volumes/test-2.nii.gz", {"reconstruct": 1, "score": 1} | dict.fromkeys(REPORT, 1)),
        ("results/mean/settings.json", {"train": 1, "reconstruct": 2, "score": 1} | dict.fromkeys(REPORT, 1)),
    ],
)
def test_what_was_deleted_is_made_again(finished: Path, tmp_path: Path, gone: str, planned: dict[str, int]) -> None:
    """Although the tables that were made of it are there."""
    folder = Path(shutil.copytree(finished, tmp_path / "copy"))
    shutil.rmtree(folder / gone) if (folder / gone).is_dir() else (folder / gone).unlink()
    assert rerun(folder) == planned


def test_a_method_without_a_network_asks_for_no_gpu_and_little_else(finished: Path) -> None:
    asked = plan(finished, "--dry-run", "-R", "train", config={"report": ["mean", "dx2ct"]})
    train = {block.split("run=")[1].split()[0]: block for block in asked.split("rule train:")[1:]}
    assert "gpu=1" in train["dx2ct"] and "mem_mb=16000" in train["dx2ct"] and "runtime=4320" in train["dx2ct"]
    assert "gpu=0" in train["mean"] and "mem_mb=4000" in train["mean"] and "runtime=240" in train["mean"]


def test_what_jobs_ask_for_does_not_depend_on_the_machine_that_plans(finished: Path, tmp_path: Path) -> None:
    """Every cluster job evaluates the rules again, on a node that may have a GPU where the first machine has none."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    words = ["--dry-run", "--forcerun", "xray"]
    before = os.environ["PATH"]
    here = plan(finished, *words)
    try:
        os.environ["PATH"] = f"{tmp_path}{os.pathsep}{before}"
        there = plan(finished, *words)
    finally:
        os.environ["PATH"] = before
    # Sorted: in which order a dry run lists the jobs is not settled.
    asked = [sorted(line for line in text.splitlines() if "resources:" in line) for text in (here, there)]
    assert asked[0] == asked[1] and any("gpu=0" in line for line in asked[0])


def test_a_changed_model_leaves_the_mean_volume_alone(finished: Path) -> None:
    planned = rerun(finished, dx2ct(train={"steps": 5}))
    assert planned == {"train": 1, "reconstruct": 2, "score": 1} | dict.fromkeys(REPORT, 1)


def test_a_new_run_that_is_not_reported_runs_nothing(finished: Path) -> None:
    assert rerun(finished, {"runs": {"second_mean": {"method": "mean"}}}) == {}


def test_a_method_reads_its_own_sections_only(finished: Path) -> None:
    text = plan(finished, "--dry-run", "--printshellcmds", config={"report": ["mean", "dx2ct", "x2ctgan"]})
    assert jobs(text) == {"train": 1, "reconstruct": 2, "score": 1} | dict.fromkeys(REPORT, 1)
    (command,) = [line for line in text.splitlines() if " dx2ct train " in line]
    settings = json.loads(command.split("--settings ")[1].split(" --sheet")[0].strip("'"))
    assert set(settings) == {"run", "volume", "xray", "slices", "model", "train"}
    assert "dense_layers" in settings["model"]


DERIVED = {
    "weights_of": "dx2ct",
    "reconstruct": {"planes": "together", "samples": 2, "consistency": {"iterations": 3}},
}


def test_a_run_with_another_s_weights_trains_nothing(finished: Path) -> None:
    """It has them copied, and of several samples their deviation and its calibration."""
    new = {"runs": {"ours": DERIVED}}
    assert rerun(finished, new) == {}, "it is not reported"
    planned = rerun(finished, new | {"report": ["mean", "dx2ct", "ours"]})
    ours = {"derive": 1, "reconstruct_samples": 2, "score": 1, "calibration": 1}
    assert planned == ours | dict.fromkeys(REPORT, 1)
    trained = rerun(finished, new | {"report": ["mean", "dx2ct", "ours"]} | dx2ct(train={"steps": 5}))
    assert trained == ours | {"train": 1, "reconstruct": 2, "score": 2} | dict.fromkeys(REPORT, 1)


def test_only_a_run_with_several_samples_reconstructs_validation_scans(finished: Path) -> None:
    """For the scale of its deviation, which is learnt on them."""
    *rows, last = SHEET.splitlines(keepends=True)
    (finished / "val.tsv").write_text("".join([*rows, last.replace("\ttest\t", "\tval\t")]))
    config = {"cohort": {"sheet": "val.tsv"}, "runs": {"ours": DERIVED}}
    without = rerun(finished, config | {"report": ["mean", "dx2ct"]})
    assert "reconstruct" not in without and "deviation_scale" not in without
    several = rerun(finished, config | {"report": ["mean", "dx2ct", "ours"]})
    ours = {"derive": 1, "reconstruct_samples": 2, "deviation_scale": 1, "calibration": 1}
    assert several == without | ours | {"score": without["score"] + 1}
    text = plan(finished, "--dry-run", "--printshellcmds", config=config | {"report": ["mean", "dx2ct", "ours"]})
    (learnt,) = [line for line in text.splitlines() if "dx2ct deviation-scale" in line]
    assert "deviation-scale test-2 --run results/ours" in learnt and '"samples": 2' in learnt
    (judged,) = [line for line in text.splitlines() if "dx2ct calibration" in line]
    assert "--scale=results/ours/deviation_scale.json" in judged and "test-2" not in judged


def test_what_a_run_lays_over_reconstruct_is_its_own(finished: Path) -> None:
    text = plan(
        finished, "--dry-run", "--printshellcmds", "results/ours/scores.csv", config={"runs": {"ours": DERIVED}}
    )
    ours = [line for line in text.splitlines() if "dx2ct reconstruct" in line]
    assert len(ours) == 2
    for line in ours:
        assert '"planes": "together"' in line and '"samples": 2' in line and '"iterations": 3' in line
        assert '"steps": 2' in line and '"when": "end"' in line, "what it does not say is as in the section"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"weights_of": "nobody"}, "7: runs.ours.weights_of: nobody is not a run that is trained"),
        ({"weights_of": "mean"}, "7: runs.ours.weights_of: mean is of method mean, which does not sample"),
        ({"weights_of": "ours"}, "7: runs.ours.weights_of: ours is not a run that is trained"),
        ({"reconstruct": {"stps": 1}}, "6: runs.ours.reconstruct.stps: unknown key: did you mean steps?"),
        ({"reconstruct": {"solver": "dpm", "eta": 0.5}}, "6: runs.ours.reconstruct.eta: 0.5 with solver dpm"),
        ({"method": "dx2ct"}, "5: runs.ours.method: unknown key (known: reconstruct, "),
    ],
)
def test_a_run_that_cannot_be_is_one_line(finished: Path, row: dict[str, Any], problem: str) -> None:
    settings = {"weights_of": "dx2ct", "reconstruct": {"steps": 3}} | row
    config = {"cohort": {"sheet": "sheet.tsv"}, "runs": {"ours": settings}}
    refused = run(finished, "--dry-run", config=config)
    assert refused.returncode != 0 and f"error: changed.yaml:{problem}" in refused.stdout, refused.stdout


def test_comments_and_order_of_the_yaml_mean_nothing(finished: Path) -> None:
    def backwards(value: Any) -> Any:
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    config = yaml.safe_load(SMOKE.read_text()) | {"cohort": {"sheet": "sheet.tsv", "source": "phantom"}}
    assert rerun(finished, backwards(config)) == {}


def test_moving_the_sheet_means_nothing(finished: Path) -> None:
    (finished / "moved.tsv").write_text(SHEET)
    assert rerun(finished, {"cohort": {"sheet": "moved.tsv"}}) == {}


@pytest.mark.parametrize(
    ("old", "new", "rules", "trained"),
    [
        (
            "\t1\t",
            "\t7\t",
            {"fetch", "volume", "xray", "slices"} | TRAIN | COHORT,
            2,
        ),  # the seed of a training phantom
        ("\t21\t", "\t7\t", {"fetch", "volume", "xray", "slices"} | RECONSTRUCT | COHORT, 0),  # of a test phantom
    ],
)
def test_another_phantom(finished: Path, old: str, new: str, rules: set[str], trained: int) -> None:
    (finished / "changed.tsv").write_text(SHEET.replace(old, new))
    planned = rerun(finished, {"cohort": {"sheet": "changed.tsv"}})
    assert set(planned) == rules
    assert planned.get("train", 0) == trained
    assert planned["fetch"] == 1


def test_a_nodule_moved_in_the_sheet_is_scored_again(finished: Path) -> None:
    (finished / "changed.tsv").write_text(SHEET.replace("-46.1:10.6:-61.5:6.0", "-46.1:10.6:-61.5:7.0"))
    assert (finished / "changed.tsv").read_text() != SHEET
    assert set(rerun(finished, {"cohort": {"sheet": "changed.tsv"}})) == SCORE | COHORT


def test_a_failed_test_scan_is_left_out_without_training_again(finished: Path) -> None:
    """The record is the one that `dx2ct volume` writes: the workflow must agree with it about what was tried."""
    source, record = finished / "data/raw/test-2.zip", finished / "data/failed/test-2.txt"
    settings = Plan([SMOKE], {}, ROOT).stage("volume")
    try:
        with pytest.raises(InputError), recorded(record, source, settings, ""):
            raise InputError("broken")
        text = plan(finished, "--dry-run")
        assert "warning: scan test-2 is left out: broken" in text
        assert jobs(text) == {"cohort": 1, "score": 2} | dict.fromkeys(REPORT, 1)
        repaired = rerun(finished, {"volume": {"z_part": "superior"}})
        assert repaired["volume"] == 4, "other settings are a new attempt"
        source.write_text("repaired")
        assert "test-2 is left out" not in plan(finished, "--dry-run")
    finally:
        record.unlink()
