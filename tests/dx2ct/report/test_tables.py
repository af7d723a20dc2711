"""Tables as CSV, Markdown and LaTeX, and what is in them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from drr.errors import InputError
from dx2ct import layout
from dx2ct.data.tables import read_table as read_rows
from dx2ct.metrics import METRICS
from dx2ct.report.cost import cost_of
from dx2ct.report.nodules import nodules_by_size
from dx2ct.report.results import results
from dx2ct.report.table import Column, read_table, Table
from dx2ct.report.tables import quality, tables, write_tables
from dx2ct.scoring.run import score_columns
from dx2ct.scoring.scan import NODULE_COLUMNS

TABLE = Table(
    "one",
    "100 % of a_b",
    (Column("run", "run"), Column("db", "PSNR, dB", 1, +1), Column("mae", "MAE", 0, -1), Column("n", "n", 0)),
    [
        {"run": "a_1|x", "db": 20.04, "mae": 1234.6, "n": 7},
        {"run": "b&", "db": 21.0, "mae": None, "n": 9},
        {"run": "c", "db": float("nan"), "mae": 99.0},
    ],
)


def test_csv_keeps_all_digits_and_comes_back(tmp_path):
    TABLE.write(tmp_path)
    with (tmp_path / "one.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"run": "a_1|x", "db": "20.04", "mae": "1234.6", "n": "7"}
    assert rows[1]["mae"] == rows[2]["db"] == rows[2]["n"] == ""
    assert read_table(Table(TABLE.name, TABLE.caption, TABLE.columns), tmp_path).texts() == TABLE.texts()


def test_markdown_marks_the_best_of_a_column():
    assert TABLE.to_markdown().splitlines() == [
        "100 % of a_b",
        "",
        "| run | PSNR, dB ↑ | MAE ↓ | n |",
        "| --- | ---: | ---: | ---: |",
        "| a_1\\|x | 20.0 | 1,235 | 7 |",
        "| b& | **21.0** | – | 9 |",
        "| c | – | **99** | – |",
    ]
    alone = Table("one", "", TABLE.columns, TABLE.rows[:1])
    assert "**" not in alone.to_markdown(), "there is no best of one"


def test_latex_has_no_sign_that_is_a_command():
    text = TABLE.to_latex()
    assert r"\caption{100 \% of a\_b}" in text and r"a\_1|x & 20.0 & 1,235 & 7 \\" in text
    assert r"b\& & \textbf{21.0} & -- & 9 \\" in text
    assert text.count(r"\\") == 4 and r"\begin{tabular}{lrrr}" in text


VIEWS = ("pa", "oblique")


def write_project(root: Path, scans: int = 4) -> list[Path]:
    """Metrics of runs of the paper's tables, and their nodules."""
    names = ("run", "method", "views", "query_transformer", "conditioning", "prediction", "scans")
    lines = [
        ("mean", "mean", "", "", "", ""),
        ("other", "x2ctgan", "pa+lateral", "", "", ""),
        ("full", "dx2ct", "lateral+oblique", "true", "spade", "x0"),
        ("one", "dx2ct", "pa", "true", "spade", "x0"),
        ("plain", "dx2ct", "pa+lateral", "false", "concat", "x0"),
    ]
    root.mkdir(exist_ok=True)
    further = [f"{name}{suffix}" for name in score_columns(VIEWS)[2:] for suffix in ("", "_planes")]
    numbers = [str(20 + k) for k in range(len(further))]
    table = [[*names, *further], *([*line, str(scans), *numbers] for line in lines)]
    (root / "metrics.csv").write_text("\n".join(map(",".join, table)) + "\n")
    for line in lines:
        run = root / line[0]
        run.mkdir()
        (run / "settings.json").write_text(json.dumps({"run": {"method": line[1]}}))
        save_file(
            {"w": np.zeros((3, 5), np.float32), "bn.running_mean": np.zeros(7, np.float32)}, run / "weights.safetensors"
        )
        kept = [(7.0, 0.25), (7.5, 0.75), (20.0, 0.9), (31.0, "")]
        rows = [["s", k, 0, 0, 0, diameter, 100, 50, part] for k, (diameter, part) in enumerate(kept)]
        text = "\n".join(",".join(map(str, row)) for row in (NODULE_COLUMNS, *rows))
        (run / "nodules.csv").write_text(text + "\n")
    return [root / line[0] for line in lines]


def runs_in(folder: Path, name: str) -> list[str]:
    return [row["run"] for row in read_table(tables(VIEWS)[name], folder).rows]


def test_every_run_stands_in_the_paper_s_tables_where_it_belongs(tmp_path):
    runs = write_project(tmp_path / "results")
    write_tables(runs, tmp_path / "results/metrics.csv", tmp_path / "benchmarks", tmp_path / "tables")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        f"{name}.{suffix}" for name in layout.TABLES for suffix in ("csv", "md", "tex")
    }
    assert runs_in(tmp_path / "tables", "table1a") == ["mean", "other", "full"]
    assert runs_in(tmp_path / "tables", "table1b") == ["mean", "one"]
    assert runs_in(tmp_path / "tables", "table2") == ["full", "one", "plain"]
    assert runs_in(tmp_path / "tables", "clinical") == [run.name for run in runs]
    (head, *_) = (tmp_path / "tables/reprojection.csv").read_text().splitlines()
    assert head == "run,reprojection_pa,reprojection_floor_pa,reprojection_oblique,reprojection_floor_oblique"


@pytest.mark.parametrize(("scans", "marked"), [(1, False), (2, True)])
def test_one_scan_ranks_no_run(tmp_path: Path, scans: int, marked: bool) -> None:
    runs = write_project(tmp_path / "results", scans)
    write_tables(runs, tmp_path / "results/metrics.csv", tmp_path / "benchmarks", tmp_path / "tables")
    assert ("**" in (tmp_path / "tables/clinical.md").read_text()) == marked
    lines = read_rows(tmp_path / "results/metrics.csv", "")
    (fused, *_) = results(lines)
    assert fused.marks_best == marked and ("One test scan ranks no method" in fused.caption) != marked


def test_the_tables_are_those_that_the_workflow_knows():
    assert tuple(tables(())) == layout.TABLES


def test_columns_of_metrics_come_from_the_list_of_metrics():
    """Titles, units, digits and directions; DX2CT's own first, in the order of its tables."""
    found = {column.key: column for column in quality()}
    assert [key for key in found if key.endswith("_planes")] == list(found)[: sum(1 for m in METRICS if m.paper)]
    for metric in METRICS:
        if column := found.get(f"{metric.name}_planes" if metric.paper else metric.name):
            assert (column.title, column.digits, column.best) == (metric.label, metric.digits, metric.better)
    assert {metric.name for metric in METRICS if metric.headline or metric.paper} == {
        key.removesuffix("_planes") for key in found
    }


def test_a_floor_alone_is_no_table(tmp_path):
    runs = write_project(tmp_path / "results")
    kept = [line for line in (tmp_path / "results/metrics.csv").read_text().splitlines() if not line.startswith("one,")]
    (tmp_path / "results/metrics.csv").write_text("\n".join(kept) + "\n")
    write_tables(runs, tmp_path / "results/metrics.csv", tmp_path, tmp_path / "tables")
    assert runs_in(tmp_path / "tables", "table1b") == []


def test_nodules_are_counted_by_size(tmp_path):
    (run, *_) = write_project(tmp_path / "results")
    rows = nodules_by_size(run)
    assert [(row["size_mm"], row["nodules"], row["visible"]) for row in rows] == [
        ("6 to 8", 2, 2),
        ("15 to 30", 1, 1),
        ("≥ 30", 1, 0),
    ]
    assert (rows[0]["mean"], rows[0]["lower"], rows[0]["upper"]) == (0.5, 0.375, 0.625)
    assert np.isnan(rows[2]["median"])
    (run / "nodules.csv").write_text("scan\n")
    with pytest.raises(InputError, match=r"nodules\.csv: lacks the columns .*kept.*: run the score stage"):
        nodules_by_size(run)


def test_costs_come_from_what_was_recorded(tmp_path):
    (run, *_) = write_project(tmp_path / "results")
    unknown = cost_of(run, tmp_path / "benchmarks")
    assert unknown["parameters"] == 15 and [key for key, value in unknown.items() if value is None] == [
        *("gflop", "train_h", "train_mb", "reconstruct_s", "reconstruct_mb")
    ]
    head = "s\th:m:s\tmax_rss\n"
    for scan, seconds, memory in (("a", 4, 100), ("b", 10, 300), ("c", 5, "NA")):
        path = tmp_path / "benchmarks/reconstruct/mean" / f"{scan}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{head}{seconds}\t0:00:04\t{memory}\n")
    (tmp_path / "benchmarks/train").mkdir()
    (tmp_path / "benchmarks/train/mean.tsv").write_text(f"{head}1800\t0:30:00\t500\n")
    (run / "profile.json").write_text(json.dumps({"forward_flop": {"a": 3e9, "b": 1e9}, "batch": 2}))
    found = cost_of(run, tmp_path / "benchmarks")
    assert found == {"run": "mean", "parameters": 15, "gflop": 2.0, "train_h": 0.5, "train_mb": 500.0} | {
        "reconstruct_s": 5.0,
        "reconstruct_mb": 300.0,
    }
    (run / "profile.json").write_text(json.dumps({"reconstruction_flop": 4e9, "batch": 2}))
    assert cost_of(run, tmp_path / "benchmarks")["gflop"] is None, "of a method whose pass is a whole volume"
    (run / "training.csv").write_text("step,seconds\n5,60\n10,7200\n")
    assert cost_of(run, tmp_path / "benchmarks")["train_h"] == 2, "what a resumed training took in all"


def test_the_cost_of_folds_is_that_of_all_their_trainings(tmp_path):
    (run, *_) = write_project(tmp_path / "results")
    layout.folds(run).write_text(json.dumps({"a": "mean_a", "b": "mean_b"}))
    for fold, seconds in (("a", 1800), ("b", 5400)):
        (tmp_path / f"results/mean_{fold}").mkdir()
        (run / "weights.safetensors").rename(tmp_path / "results/mean_a/weights.safetensors") if fold == "a" else None
        path = tmp_path / f"benchmarks/train/mean_{fold}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cost_of(run, tmp_path / "benchmarks")["train_h"] is None, "not of all is nothing"
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:30:00\t{seconds}\n")
    found = cost_of(run, tmp_path / "benchmarks")
    assert (found["train_h"], found["train_mb"], found["parameters"]) == (2.0, 5400.0, 15)
    layout.folds(run).write_text("[]")
    with pytest.raises(InputError, match=r"folds\.json: no names of trainings .*: delete it and run the folds stage"):
        cost_of(run, tmp_path / "benchmarks")


def test_a_damaged_file_of_weights_is_named(tmp_path):
    (run, *_) = write_project(tmp_path / "results")
    for content in (b"", b"short", b"\x10\0\0\0\0\0\0\0not json at all!", b"\xff" * 40):
        (run / "weights.safetensors").write_bytes(content)
        with pytest.raises(InputError, match=r"weights\.safetensors: not a file of weights"):
            cost_of(run, tmp_path)
