"""Cohorts of one's own scans from end to end: odd paths, no test, no training, and what is said of scans left out."""

from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import yaml

from drr.volume import read_volume, Volume
from tests.drr.series import body, write_series
from tests.fabricate.datasets import ct_rate
from tests.workflow.snake import jobs, ROOT, run

pytestmark = pytest.mark.slow
MEAN_ONLY = {"report": ["mean"]}


def surveyed(folder: Path, output: Path, *options: str) -> dict[str, Any]:
    """The section that `dx2ct cohort` writes, with the smoke run's mean alone."""
    line = [sys.executable, "-m", "dx2ct", "cohort", str(folder), "-o", str(output), *options]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert (output / "config.yaml").is_file(), done.stderr
    return MEAN_ONLY | {"cohort": yaml.safe_load((output / "config.yaml").read_text())["cohort"]}


def own_scans(folder: Path) -> Path:
    hu = np.kron(body(12, 32, 40), np.ones((2, 2, 2), np.int16))
    write_series(folder / "first {patient}" / "{scan}", hu, patient="A", step_mm=5.0)
    Volume(hu, (2.0, 2.0, 5.0), (0.0, 0.0, 0.0)).write(folder / "second {x}.nii.gz")
    return folder


def test_braces_in_paths_are_no_wildcards_and_a_changed_scan_is_read_again(tmp_path: Path) -> None:
    own = own_scans(tmp_path / "my {scan} files")
    config = surveyed(own, tmp_path / "mine {0}")
    done = run(tmp_path, "results/qc.html", "results/report.html", config=config)
    assert done.returncode == 0, done.stdout
    assert jobs(run(tmp_path, "--dry-run", "results/qc.html", config=config).stdout) == {}
    Volume(body(24, 64, 80), (2.0, 2.0, 5.0), (0.0, 0.0, 0.0)).write(own / "second {x}.nii.gz")
    assert jobs(run(tmp_path, "--dry-run", "results/qc.html", config=config).stdout)["volume"] == 1


def test_the_quality_page_and_the_report_list_the_same_scans_as_left_out(tmp_path: Path) -> None:
    own = own_scans(tmp_path / "own")
    (own / "no.zip").write_bytes(b"PK no zip")
    (own / "page.nii.gz").write_bytes(b"<html>")
    Volume(body(), (8.0, 8.0, 9.0), (0.0, 0.0, 0.0)).write(own / "thick.nii.gz")
    config = surveyed(own, tmp_path / "mine", "--max-slice-mm", "6")
    done = run(tmp_path, "results/qc.html", "results/report.html", config=config)
    assert done.returncode == 0, done.stdout
    pages = [(tmp_path / "results" / name).read_text() for name in ("qc.html", "report.html")]
    for name in ("no.zip", "page.nii.gz", "thick.nii.gz"):
        assert all(name in page for page in pages)
    assert "2 scans in use" in pages[0] and "3 left out" in pages[0] and "Scans left out (3)" in pages[1]


def test_a_trained_run_is_scored_on_an_external_cohort_and_not_trained_again(tmp_path: Path) -> None:
    """As docs/data.md says."""
    own = own_scans(tmp_path / "own")
    external = tmp_path / "external"
    config = surveyed(own, external, "--test", "1")
    refused = run(external, "all", config=config)
    assert refused.returncode == 1 and "no trained run in results/mean/: copy its folder there" in refused.stdout
    assert "Traceback" not in refused.stdout
    home = run(tmp_path, "results/mean/weights.safetensors")
    assert home.returncode == 0, home.stdout
    shutil.copytree(tmp_path / "results/mean", external / "results/mean")
    before = (external / "results/mean/weights.safetensors").stat().st_mtime_ns
    done = run(external, "all", config=config)
    assert done.returncode == 0, done.stdout
    assert "train" not in jobs(done.stdout)
    assert (external / "results/mean/weights.safetensors").stat().st_mtime_ns == before
    assert (external / "results/metrics.csv").is_file() and (external / "results/report.html").is_file()


def test_a_header_that_the_sheet_restates_is_read_and_tracked(tmp_path: Path) -> None:
    """CT-RATE's raw volumes: what their metadata says is one option more for the jobs of these scans alone."""
    folder = ct_rate(tmp_path / "rate", ["train_1_a_1", "valid_1_a_1"], "raw")
    ct_rate(folder, ["train_2_a_1"])
    config = surveyed(folder, tmp_path / "mine")
    done = run(tmp_path, "results/qc.html", config=config)
    assert done.returncode == 0, done.stdout
    volumes = [read_volume(tmp_path / f"data/volumes/{scan}.mha").array for scan in ("train_1_a_1", "train_2_a_1")]
    assert np.abs(np.subtract(*volumes, dtype=float)).max() <= 2  # raw is stored in steps of 2 HU
    assert jobs(run(tmp_path, "--dry-run", "results/qc.html", config=config).stdout) == {}
    sheet = tmp_path / "mine/cohort.tsv"
    sheet.write_text(sheet.read_text().replace("-1024.0", "-1000.0", 1))
    again = jobs(run(tmp_path, "--dry-run", "results/qc.html", config=config).stdout)
    assert again == {"cohort": 1, "volume": 1, "xray": 2, "quality": 1, "qc_page": 1}


def test_a_cohort_of_one_scan_is_prepared(tmp_path: Path) -> None:
    own = own_scans(tmp_path / "own")
    (own / "second {x}.nii.gz").unlink()
    config = surveyed(own, tmp_path / "mine", "--test", "0")
    done = run(tmp_path, "all", config=config)
    assert done.returncode == 0, done.stdout
    assert "1 scans in use" in (tmp_path / "results/qc.html").read_text()
    assert (tmp_path / "results/mean/weights.safetensors").is_file()
    assert not (tmp_path / "results/metrics.csv").exists()
