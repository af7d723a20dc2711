"""Anybody's volumes to a row: the workflow's own numbers, what is refused and how, what is written."""

from collections.abc import Callable
import json
from pathlib import Path
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct import layout
from dx2ct.benchmark.provenance import Provenance, read_provenance
from dx2ct.benchmark.rows import METRICS, read_rows
from dx2ct.benchmark.score import require_name
from dx2ct.benchmark.submission import Submission, submit
from dx2ct.cli import app
from dx2ct.data.grid import CubeGrid
from tests.dx2ct.benchmark.conftest import OURS, Prepared, TESTS

SAID = Provenance(run="theirs", by="A. Body", views="pa", trained_on="the cohort's training scans", gpu_s=7.0)


def submitted(prepared: Prepared, *volumes: str, said: Provenance = SAID) -> str:
    faults, text = submit(Submission(prepared.folder, volumes, said, cpu_s=3.5), prepared.benchmark)
    assert faults == []
    return text


def faults(prepared: Prepared, *volumes: str) -> list[str]:
    return submit(Submission(prepared.folder, volumes, SAID), prepared.benchmark)[0]


def test_volumes_of_a_run_of_the_workflow_have_its_scores(prepared: Prepared, made: Prepared) -> None:
    volumes = layout.reconstruction(made.folder / OURS, "{scan}")
    submitted(prepared, str(volumes))
    ours, theirs = read_rows(made.benchmark.ours), read_rows(prepared.folder / "benchmark/theirs.csv")
    names = ["scan", *METRICS]
    assert len(theirs) == len(TESTS) and theirs["reprojection_pa"].gt(0).all() and theirs["ssim"].lt(1).all()
    pd.testing.assert_frame_equal(theirs[names], ours[names], check_exact=True)


def test_a_row_of_several_trainings_is_printed_beside_ours_and_written(prepared: Prepared) -> None:
    for seed, offset in enumerate((40, 50, 60)):
        prepared.put(offset, f"theirs/{seed}")
    text = submitted(prepared, *(f"theirs/{seed}/{{scan}}.nii.gz" for seed in range(3)))
    lines = [line.split() for line in text.splitlines()]
    assert lines[1][:4] == [OURS, "pa+lateral", "1", "12"], "20 HU off is better than 40 to 60"
    assert lines[2][:5] == ["theirs", "pa", "3", "4", "7"]
    psnr = [20 * np.log10(2500 / offset) for offset in (40, 50, 60)]
    assert lines[2][5:7] == [f"{np.mean(psnr):.2f}", f"{np.std(psnr, ddof=1):.2f}"]
    assert lines[5][:4] == [OURS, "3", "and", "1"] and lines[5][-3:] == ["0", "of", "3"]
    assert float(lines[5][4]) == pytest.approx(np.mean(psnr) - 20 * np.log10(2500 / 20), abs=0.02)
    found = read_rows(prepared.folder / "benchmark/theirs.csv")
    assert list(found["seed"]) == [0] * 3 + [1] * 3 + [2] * 3 and set(found["cpu_s"]) == {3.5}
    assert read_provenance(prepared.folder / "benchmark/theirs.json") == SAID
    assert (prepared.folder / "results/theirs_seed2/slices.csv").is_file()


def test_the_page_holds_all_it_shows_and_says_what_it_is_for(prepared: Prepared) -> None:
    prepared.put(40)
    submitted(prepared)
    page = (prepared.folder / "benchmark/theirs.html").read_text(encoding="utf-8")
    assert "Research use only, not a medical device" in page and "phantom, no patient" in page
    assert page.count("data:image/png;base64,") == 3 and "://" not in page
    assert all(word in page for word in ("theirs over", "A. Body", ", the scan of median PSNR", ">35.92<"))


def test_a_row_without_seconds_leaves_them_empty(prepared: Prepared) -> None:
    prepared.put(40)
    submit(Submission(prepared.folder, (), Provenance(run="bare")), prepared.benchmark)
    assert read_rows(prepared.folder / "benchmark/bare.csv")["cpu_s"].isna().all()


def test_missing_volumes_are_a_line_each(prepared: Prepared) -> None:
    prepared.put(40, scans=["t-2"])
    gone = [f"{prepared.folder}/theirs/{scan}.nii.gz" for scan in ("t-1", "t-3")]
    assert faults(prepared) == [
        *(f"{path}: no such volume: write it, or say by --volumes where it is" for path in gone),
        f"{prepared.folder}: 2 of 3 volumes cannot be scored, a row needs all",
    ]
    assert not (prepared.folder / "results").exists() and not (prepared.folder / "benchmark").exists()


def shape(grid: CubeGrid, hu: np.ndarray, path: Path) -> None:
    CubeGrid(grid.size - 2, grid.spacing_mm, grid.centre_mm).volume(hu[1:-1, 1:-1, 1:-1]).write(path)


def spacing(grid: CubeGrid, hu: np.ndarray, path: Path) -> None:
    CubeGrid(grid.size, grid.spacing_mm / 2, grid.centre_mm).volume(hu).write(path)


def place(grid: CubeGrid, hu: np.ndarray, path: Path) -> None:
    CubeGrid(grid.size, grid.spacing_mm).volume(hu).write(path)


def no_number(grid: CubeGrid, hu: np.ndarray, path: Path) -> None:
    hu[1, 2, 3] = np.nan
    grid.volume(hu).write(path)


def normalised(grid: CubeGrid, hu: np.ndarray, path: Path) -> None:
    grid.volume((hu + 1024) / 2500).write(path)


HEADER = "take the header of inputs/test/t-2/grid.nii.gz, or say --resample"


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (shape, rf"\(30, 30, 30\) voxels instead of \(32, 32, 32\): {HEADER}"),
        (spacing, rf"spacing \(5, 5, 5\) mm instead of \(10, 10, 10\) mm: {HEADER}"),
        (place, rf"origin \(-155, -155, -155\) mm instead of \(.*\) mm: {HEADER}"),
        (no_number, "1 voxels are NaN or infinite: fill them"),
        (normalised, r"values lie in \[0, .*\]: normalised, not HU: undo it .*"),
    ],
)
def test_a_volume_that_cannot_be_scored_is_one_line(
    write: Callable[[CubeGrid, np.ndarray, Path], None], line: str, prepared: Prepared
) -> None:
    prepared.put(40)
    path = prepared.folder / "theirs/t-2.nii.gz"
    write(prepared.grid("t-2"), prepared.truth("t-2").astype(np.float32), path)
    found, total = faults(prepared)
    assert re.fullmatch(rf"{path}: {line}", found)
    assert total == f"{prepared.folder}: 1 of 3 volumes cannot be scored, a row needs all"


def test_another_grid_is_resampled_where_asked(prepared: Prepared) -> None:
    prepared.put(40)
    path, grid = prepared.folder / "theirs/t-2.nii.gz", prepared.grid("t-2")
    wide = np.pad(prepared.truth("t-2").astype(np.float32) + 40, 2, constant_values=-1024)
    CubeGrid(grid.size + 4, grid.spacing_mm, grid.centre_mm).volume(wide).write(path)
    assert submit(Submission(prepared.folder, (), SAID, resample=True), prepared.benchmark)[0] == []
    psnr = read_rows(prepared.folder / "benchmark/theirs.csv").set_index("scan")["psnr_db"]
    assert psnr["t-2"] == pytest.approx(psnr["t-1"], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (OURS, f"--name {OURS}: is a run of the benchmark already: choose another name"),
        ("sart", "--name sart: is a run of the benchmark already: choose another name"),
        ("a b", "--name a b: letters, digits, _ and -, and no _seed at its end: choose another name"),
        ("theirs_seed1", "--name theirs_seed1: letters, digits, .*"),
    ],
)
def test_a_name_that_no_row_can_have_is_refused(name: str, line: str, prepared: Prepared) -> None:
    with pytest.raises(InputError, match=line):
        require_name(name, prepared.benchmark)


def test_volumes_that_have_one_name_are_refused(prepared: Prepared) -> None:
    with pytest.raises(InputError, match=r"--volumes a\.nii\.gz: names no \{scan\}: every scan would have the same"):
        faults(prepared, "a.nii.gz")


def test_a_folder_without_the_scans_says_what_makes_them(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: the test scans are not there: run `dx2ct benchmark inputs .*` first"):
        submit(Submission(tmp_path / "empty", (), SAID), prepared.benchmark)


def test_the_command_says_every_fault_and_fails(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dx2ct.benchmark.cohort.Benchmark", lambda: prepared.benchmark)
    line = ["benchmark", "score", str(prepared.folder), "--name", "theirs", "--threads", "1"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 1 and done.stdout == ""
    assert [text[:7] for text in done.stderr.splitlines()] == ["error: "] * 4
    prepared.put(40)
    done = CliRunner().invoke(app, [*line, "--by", "A. Body", "--gpu-seconds", "5"])
    assert done.exit_code == 0 and "to submit the row" in done.stdout
    assert json.loads((prepared.folder / "benchmark/theirs.json").read_text())["gpu_s"] == 5.0
