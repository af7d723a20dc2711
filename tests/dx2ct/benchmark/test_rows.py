"""Rows of files and of workflows: what is whole, what is refused, what is said of them."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct import layout
from dx2ct.benchmark.cohort import Benchmark, CONFIG
from dx2ct.benchmark.provenance import read_provenance
from dx2ct.benchmark.rows import cpu_seconds, read_rows, write_rows
from dx2ct.benchmark.shown import shown
from dx2ct.benchmark.statistics import differences, summaries
from dx2ct.cli import app
from dx2ct.planning import resolve
from dx2ct.scoring.statistics import paired
from tests.conftest import ROOT
from tests.dx2ct.benchmark.conftest import OURS, Prepared

SAID = {"run": "other", "by": "A. Body", "views": "pa", "trained_on": "nothing"}


@pytest.fixture
def other(prepared: Prepared) -> pd.DataFrame:
    """Rows of another run, 1 dB better."""
    ours = read_rows(prepared.benchmark.ours)
    return ours.assign(run="other", psnr_db=ours["psnr_db"] + 1)


def test_the_rows_that_come_with_the_project_are_whole_and_say_where_they_are_from() -> None:
    """Also of those that were submitted: this is the check of a pull request."""
    benchmark = Benchmark()
    rows, runs = benchmark.rows, resolve([CONFIG], ROOT).config.runs
    assert set(rows["run"]) == set(benchmark.provenance)
    for name, said in benchmark.provenance.items():
        assert said.by != "dx2ct" or name in runs or f"{name}_seed0" in runs, f"{name}: whence is it?"
    assert not rows.duplicated(["run", "seed", "scan"]).any() and len(benchmark.tests) == 20


def test_the_table_needs_no_data() -> None:
    done = CliRunner().invoke(app, ["benchmark", "table"])
    assert done.exit_code == 0 and "lift_1600" in done.stdout and "dx2ct_lifted_1600" in done.stdout


def cut(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[:1]


def foreign(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(scan=["t-1", "t-2", "phantom-001"])


def twice(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, rows.iloc[1:2]])


def empty(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(psnr_db=[1.0, np.nan, 1.0])


def without(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns="ssim")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (cut, "other, seed 0: lacks 2 of the 3 test scans, first t-2: score all"),
        (foreign, "other, seed 0: phantom-001 is no test scan of the benchmark: take the row out"),
        (twice, "other, seed 0: t-2 stands there twice: keep one row"),
        (empty, "other, seed 0: t-2 has no psnr_db: score it again"),
        (without, "lacks the columns ssim: write it by `dx2ct benchmark score`"),
        (lambda rows: rows.iloc[:0], "no row in it: write it by `dx2ct benchmark score`"),
    ],
)
def test_rows_that_are_not_whole_are_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], line: str, other: pd.DataFrame, prepared: Prepared
) -> None:
    path = prepared.folder / "other.csv"
    write_rows(change(other), path)
    with pytest.raises(InputError) as caught:
        prepared.benchmark.read(path)
    assert str(caught.value) == f"{path}: {line}"


def test_rows_of_a_file_stand_among_ours(other: pd.DataFrame, prepared: Prepared, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    write_rows(other, path)
    path.with_suffix(".json").write_text(json.dumps(SAID))
    lines = shown([path], None, "", tmp_path / "page.html", prepared.benchmark).splitlines()
    assert lines[1].split()[:2] == ["other", "pa"] and lines[2].split()[0] == OURS
    assert lines[5].split() == [OURS, "1", "and", "1", "1.00", "1.00", "1.00", "3", "of", "3"]
    assert "A. Body" in (tmp_path / "page.html").read_text()
    write_rows(other.assign(run=OURS), path)
    with pytest.raises(InputError, match=rf"other\.csv: {OURS} is a run of the table already: rename it"):
        shown([path], None, "", None, prepared.benchmark)


def test_a_submission_is_a_row_that_says_where_it_is_from(other: pd.DataFrame, prepared: Prepared) -> None:
    folder = prepared.benchmark.submitted
    folder.mkdir()
    write_rows(other, folder / "other.csv")

    def again() -> Benchmark:
        return Benchmark(prepared.benchmark.config, prepared.benchmark.ours, folder)

    with pytest.raises(InputError, match=r"other\.json: cannot be read .*: submit NAME\.json beside NAME\.csv"):
        _ = again().provenance
    (folder / "other.json").write_text(json.dumps(SAID))
    assert again().provenance["other"].by == "A. Body" and set(again().rows["run"]) == {OURS, "other"}
    with pytest.raises(InputError, match="--name other: is a run of the benchmark already"):
        again().require_new("other")
    write_rows(other.assign(run="another"), folder / "other.csv")
    with pytest.raises(InputError, match=r"other\.csv: has rows of another: a file has its run's name"):
        _ = again().rows
    (folder / "other.csv").rename(folder / f"{OURS}.csv")
    with pytest.raises(InputError, match=rf"{OURS}\.csv: {OURS} is a run of .*ours\.csv: rename it"):
        _ = again().rows


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"run": "x"}, "is of run x: name the file after its run"),
        ({"by": "", "views": ""}, "by, views: empty: say it"),
        ({"gpu_s": "long"}, "gpu_s: .*number.*"),
        ({"byy": "me"}, "byy: unknown key: did you mean by?"),
    ],
)
def test_what_a_submission_must_say(change: dict[str, str], line: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps(SAID | change))
    with pytest.raises(InputError, match=rf"other\.json: {line}") as caught:
        read_provenance(tmp_path / "other.json")
    assert "\n" not in str(caught.value)


def test_the_runs_of_a_workflow_are_ranked_on_the_scans_of_all(made: Prepared, tmp_path: Path) -> None:
    for name in ("lift_seed0", "lift_seed1", "mean"):
        shutil.copytree(made.folder / OURS, layout.run(tmp_path / "results", name))
    scores = layout.scores(tmp_path / "results/mean")
    scores.write_text("".join(line for line in scores.read_text().splitlines(True) if not line.startswith("t-3")))
    (tmp_path / "benchmarks/train").mkdir(parents=True)
    (tmp_path / "benchmarks/train/mean.tsv").write_text("s\tcpu_time\n3.0\t2.5\n")
    (tmp_path / "results/cohort.tsv").write_text("scan\tpatient\tpath\tseries_uid\tsplit\n")
    lines = shown([], tmp_path, "mean", tmp_path / "page.html", made.benchmark).splitlines()
    assert {tuple(line.split()[:4]) for line in lines[1:3]} == {("lift", "–", "2", "–"), ("mean", "–", "1", "2")}
    assert lines[5].split()[-3:] == ["0", "of", "2"]
    assert "phantom" not in (tmp_path / "page.html").read_text(), "its sheet is of one's own scans"
    with pytest.raises(InputError, match="--run dx2ct: no such run: choose lift, mean"):
        shown([], tmp_path, "dx2ct", None, made.benchmark)
    with pytest.raises(
        InputError, match=r"--directory .*: its scans are others than those of a\.csv: give one of the two"
    ):
        shown([Path("a.csv")], tmp_path, "", None, made.benchmark)
    with pytest.raises(InputError, match=r"results: no run was scored here: run the workflow first"):
        shown([], tmp_path / "none", "", None, made.benchmark)


def test_seconds_of_an_interrupted_training_are_those_of_all_its_steps(tmp_path: Path) -> None:
    (tmp_path / "benchmarks/train").mkdir(parents=True)
    (tmp_path / "benchmarks/train/run.tsv").write_text("s\tcpu_time\n10\t8\n50\t40\n")
    assert cpu_seconds(tmp_path / "results", "run") == 40
    (tmp_path / "results/run").mkdir(parents=True)
    layout.training_log(tmp_path / "results/run").write_text("step,loss,seconds\n50,1,50\n100,1,100\n")
    assert cpu_seconds(tmp_path / "results", "run") == pytest.approx(80)
    (tmp_path / "benchmarks/train/run.tsv").write_text("s\tcpu_time\n-\tNA\n")
    assert np.isnan(cpu_seconds(tmp_path / "results", "run")) and np.isnan(cpu_seconds(tmp_path / "results", "gone"))


def rows_of(run: str, values: dict[str, list[float]]) -> pd.DataFrame:
    """psnr_db by scan, one for each seed; every other column is 0."""
    found = [(run, seed, scan, one) for scan, of in values.items() for seed, one in enumerate(of)]
    table = pd.DataFrame(found, columns=["run", "seed", "scan", "psnr_db"])
    return table.reindex(columns=list(read_rows(ROOT / "bench/ranking_scores.csv").columns), fill_value=0.0)


def test_differences_are_paired_by_scan_whatever_their_order() -> None:
    one = rows_of("one", {"a": [20, 22], "b": [30, 33], "c": [24, 25], "only": [9, 9]})
    two = rows_of("two", {"c": [25], "a": [20], "b": [28]})
    (found,) = differences(pd.concat([one, two]), [("one", "two"), ("one", "gone")])
    assert found.paired == paired(np.array([[20, 30, 24], [22, 33, 25]]), np.array([[20, 28, 25]]))
    assert found.ahead == 2, "of a and b; c is behind"


def test_the_spread_is_that_of_the_trainings_means() -> None:
    (found,) = summaries(rows_of("one", {"a": [20, 22], "b": [30, 33]}))
    assert found.trainings == 2 and found.mean["psnr_db"] == 26.25
    assert found.spread["psnr_db"] == pytest.approx(np.std([25, 27.5], ddof=1))
