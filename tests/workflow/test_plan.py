"""What Snakemake plans, and what it refuses before the first job."""

from pathlib import Path
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.workflow.snake import command, jobs, ROOT, run, SMOKE

SHEET = (ROOT / "workflow/resources/smoke.tsv").read_text()


def test_a_cohort_of_lidc_idri_size_is_planned_quickly() -> None:
    # in a process of its own: Linux counts the memory of the process that starts another one as the other's
    line = subprocess.run(
        [sys.executable, ROOT / "bench/dry_run.py"], capture_output=True, text=True, check=True
    ).stdout
    scans, count, _, cpu_seconds, megabytes = (float(number) for number in re.findall(r"[\d.]+", line))
    assert scans == 1018
    # 1018 x (phantom, volume, slices, xray), 102 test scans x 4 runs, 3 x train, borrow, 4 x score, cohort, the end
    assert count == 4 * 1018 + 4 * 102 + 3 + 1 + 4 + 6
    assert megabytes < 400
    assert cpu_seconds < 40, "twice what it may take on a quiet machine: see bench/dry_run.py"


def test_every_core_given_is_claimed_and_more_are_allowed(tmp_path: Path) -> None:
    text = run(tmp_path, "--dry-run", "--cores", "8").stdout
    assert jobs(text)["train"] == 2
    assert text.count("threads: 8") == 4  # train and reconstruct, two runs


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"train": {"learning_rte": 1.0}}, "error: config.train: "),
        ({"train": {"learning_rate": "1e-4"}}, "error: config.train.learning_rate: '1e-4' is not of type 'number'"),
        ({"xray": {"geometry": "siemens"}}, "error: config.xray.geometry: 'siemens' is not one of"),
        ({"runs": {"new": {"method": "dx2ct"}}}, "error: config.runs.new: 'views' is a required property"),
        ({"report": ["mean", "nobody"]}, "error: config.report: nobody is not a row of runs"),
        ({"cohort": {"sheet": "no/where.tsv"}}, "error: config.cohort.sheet: "),
    ],
)
def test_bad_configuration_is_one_line_naming_the_key(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    refused = run(tmp_path, "--dry-run", config=config)
    assert refused.returncode == 1
    assert [line.startswith(message) for line in refused.stdout.splitlines() if "rror" in line] == [True]
    assert "File " not in refused.stdout and "Traceback" not in refused.stdout


def test_broken_yaml_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("train: [\n")
    line = [*command(tmp_path, "--dry-run"), str(tmp_path / "broken.yaml")]
    refused = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 1
    text = refused.stdout + refused.stderr
    assert "not valid JSON or YAML" in text and "Traceback" not in text


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (SHEET + SHEET.splitlines()[1].replace("train", "test").replace("phantom-001\t", "x\t", 1) + "\n", "patient"),
        (SHEET + SHEET.splitlines()[1] + "\n", "scan phantom-001 appears twice"),
        (SHEET.replace("\ttrain\t", "\ttrian\t", 1), "line 2, split: 'trian' is not one of"),
        (SHEET.replace("phantom-001\t", "../001\t", 1), "line 2, scan: '../001' does not match"),
        (SHEET.replace("\ttest\t", "\tval\t"), "no usable scan in split test"),
        (SHEET.replace("\tsplit\t", "\tpart\t", 1), "line 2: 'split' is a required property"),
    ],
)
def test_bad_sheet_is_one_line_naming_file_and_line(tmp_path: Path, sheet: str, message: str) -> None:
    (tmp_path / "bad.tsv").write_text(sheet)
    refused = run(tmp_path, "--dry-run", config={"cohort": {"sheet": "bad.tsv"}})
    assert refused.returncode == 1
    last = refused.stdout.strip().splitlines()[-1]
    assert last.startswith("error: bad.tsv") and message in last
    assert "File " not in refused.stdout


def test_training_does_not_wait_for_test_scans_and_the_mean_needs_no_xray(tmp_path: Path) -> None:
    assert jobs(run(tmp_path, "--dry-run", "results/mean/weights.safetensors").stdout) == {
        "phantom": 2, "volume": 2, "slices": 2, "train": 1
    }  # fmt: skip


def test_nothing_is_protected() -> None:
    """Protected outputs fight reruns."""
    assert not [path for path in ROOT.glob("rules/*.smk") if "protected(" in path.read_text()]


def test_the_target_may_follow_the_configuration_file(tmp_path: Path) -> None:
    """Snakemake takes `all` for a second configuration file there; the empty file of that name makes it work."""
    line = [sys.executable, "-m", "snakemake", "--dry-run", "--directory", str(tmp_path)]
    planned = subprocess.run([*line, "--configfile", str(SMOKE), "all"], capture_output=True, text=True, cwd=ROOT)
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned.stdout)["report"] == 1
