"""What Snakemake plans, and what it refuses before the first job."""

from pathlib import Path
import re
import subprocess
import sys

import pytest

from dx2ct.planning.resolve import resolve
from tests.workflow.snake import command, jobs, ROOT, run, SMOKE

CONFIG = ROOT / "config.yaml"


@pytest.mark.slow
def test_a_cohort_of_lidc_idri_size_is_planned_quickly() -> None:
    # in a process of its own: Linux counts the memory of the process that starts another one as the other's
    line = subprocess.run(
        [sys.executable, ROOT / "bench/dry_run.py"], capture_output=True, text=True, check=True
    ).stdout
    scans, count, _, cpu_seconds, megabytes = (float(number) for number in re.findall(r"[\d.]+", line))
    assert scans == 1018
    runs = len(resolve([CONFIG], ROOT).config.report)
    # 1018 x (fetch, volume, slices, two xrays); a run is trained or derived, reconstructs 102 scans, is scored; then
    # cohort, metrics, tables, figures, report, all
    assert count == 5 * 1018 + runs * (1 + 102 + 1) + 6
    assert megabytes < 400
    assert cpu_seconds < 40, "twice what it may take on a quiet machine: see bench/dry_run.py"


@pytest.mark.slow
def test_every_core_given_is_claimed_and_more_are_allowed(tmp_path: Path) -> None:
    text = run(tmp_path, "--dry-run", "--cores", "8").stdout
    assert jobs(text)["train"] == 2
    assert text.count("threads: 8") == 4  # train and reconstruct, two runs
    assert "Exception" not in text, "no rule is asked for what another one makes"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("volume:\n  sise: 3\n", "error: changed.yaml:2: volume.sise: unknown key: did you mean size?"),
        ("train: {steps: 5}\n", "error: changed.yaml:1: train: is methods.dx2ct.train now"),
        ("score: {}\nscore: {}\n", "error: changed.yaml:2: score stands in line 1 already: keep one"),
        ("cohort: {sheet: no/where.tsv}\n", "error: no/where.tsv: sheet cannot be read"),
    ],
)
@pytest.mark.slow
def test_a_bad_configuration_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    """tests/dx2ct/planning has the table of faults; here they end the workflow without a traceback."""
    (tmp_path / "changed.yaml").write_text(text)
    line = [*command(tmp_path, "--dry-run"), str(tmp_path / "changed.yaml")]
    refused = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert refused.returncode == 1
    assert [line.startswith(message) for line in refused.stdout.splitlines() if "rror" in line] == [True]
    assert "File " not in refused.stdout and "Traceback" not in refused.stdout


@pytest.mark.slow
def test_values_of_the_command_line_are_laid_over_the_files(tmp_path: Path) -> None:
    values = ["slices={size: 16}", "reconstruct={steps: 3, eta: 1e-1}", "report=[mean, sart]"]
    text = run(tmp_path, "--dry-run", "--printshellcmds", "--config", *values).stdout
    assert '"size": 16' in text and jobs(text)["train"] == 2
    assert '"eta": 0.1' in text and '"steps": 3' in text
    refused = run(tmp_path, "--dry-run", "--config", "slices={size: 800.0}")
    assert "error: --config: slices.size: 800.0 is no integer" in refused.stdout and refused.returncode == 1


@pytest.mark.slow
def test_without_a_configuration_file_the_demo_is_planned(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path, "--dry-run"]
    planned, demo = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path), resolve([CONFIG], ROOT).config
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned.stdout)["fetch"] == 38 and jobs(planned.stdout)["score"] == len(demo.report)


@pytest.mark.slow
def test_broken_yaml_is_no_traceback_and_a_command_says_where(tmp_path: Path) -> None:
    """Snakemake reads the file before the workflow does, and names no line."""
    (tmp_path / "broken.yaml").write_text("train: [\n")
    line = [*command(tmp_path, "--dry-run"), str(tmp_path / "broken.yaml")]
    refused = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 1
    text = refused.stdout + refused.stderr
    assert "not valid JSON or YAML" in text and "Traceback" not in text
    line = [sys.executable, "-m", "dx2ct", "config", str(tmp_path / "broken.yaml")]
    told = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert told.returncode == 1 and told.stderr.startswith(f"error: {tmp_path}/broken.yaml:2: no YAML (")


def test_training_does_not_wait_for_test_scans_and_the_mean_needs_no_xray(tmp_path: Path) -> None:
    assert jobs(run(tmp_path, "--dry-run", "results/mean/weights.safetensors").stdout) == {
        "fetch": 2, "volume": 2, "slices": 2, "train": 1
    }  # fmt: skip


def test_nothing_is_protected() -> None:
    """Protected outputs fight reruns."""
    assert not [path for path in ROOT.glob("rules/*.smk") if "protected(" in path.read_text()]


@pytest.mark.slow
def test_the_target_may_follow_the_configuration_file(tmp_path: Path) -> None:
    """Snakemake takes `all` for a second configuration file there; the empty file of that name makes it work."""
    line = [sys.executable, "-m", "snakemake", "--dry-run", "--directory", str(tmp_path)]
    planned = subprocess.run([*line, "--configfile", str(SMOKE), "all"], capture_output=True, text=True, cwd=ROOT)
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned.stdout)["report"] == 1
