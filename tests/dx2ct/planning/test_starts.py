"""train.start_from: which run or folder a training starts from, what is tracked of it, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from drr.errors import InputError
from dx2ct.config import tracked
from dx2ct.methods import methods
from dx2ct.planning import Plan
from dx2ct.planning.resolve import resolve, Resolved
from tests.conftest import ROOT
from tests.dx2ct.planning.test_folds import FOLDS, write_folds
from tests.fabricate import random_run, tiny

SMOKE = ROOT / "workflow/config/smoke.yaml"
LEARNED = [name for name, method in methods().items() if method.learns]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is prepared."""
    monkeypatch.chdir(tmp_path)


def start(source: str | None, **training: Any) -> dict[str, Any]:
    """What a row lays over its method to start from a source."""
    return {"over": {"train": {"start_from": source, **training}}}


def found(folder: Path, runs: str, report: str = "[x]", more: str = "") -> Resolved:
    (folder / "mine.yaml").write_text(f"base: workflow/config/smoke.yaml\n{more}runs:\n{runs}report: {report}\n")
    return resolve([folder / "mine.yaml"], ROOT)


def plan(**values: Any) -> Plan:
    """The smoke configuration on a sheet with folds, with values over it."""
    write_folds(Path("folds.tsv"), **FOLDS)
    return Plan([SMOKE], {"cohort": {"sheet": "folds.tsv"}} | values, ROOT)


# ---- which training


def test_a_run_starts_from_another_which_is_trained_first() -> None:
    fine = {"method": "lift", "drop_views": 0.5} | start("lift")
    mine = plan(runs={"fine": fine}, report=["fine"])
    assert mine.resolved.start("fine") == "lift"
    assert json.loads(mine.training("fine"))["train"]["start_from"] == "lift"
    assert "start_from" not in json.loads(mine.training("lift"))["train"], "as before there was such a key"
    assert mine.start_files("fine") == ["results/lift/weights.safetensors"] and mine.start_files("lift") == []
    assert mine.train_options("fine") == ["--start-from=results/lift"]


def test_each_seed_and_each_fold_starts_from_its_own(tmp_path: Path) -> None:
    rows = "  x: {method: lift, drop_views: 0.5, over: {train: {start_from: lift}}}\n"
    each = found(tmp_path, rows, more="seeds: [0, 7]\nfolds: [a, b]\n")
    assert each.start("x_seed7_b") == "lift_seed7_b" and each.settings("x_seed7_a").train.start_from == "lift_seed7_a"
    one = found(tmp_path, rows.replace("start_from: lift", "start_from: lift_seed7"), more="seeds: [0, 7]\n")
    assert one.start("x_seed0") == one.start("x_seed7") == "lift_seed7", "by its own name"
    once = found(tmp_path, rows + "  lift: {seeds: []}\n", more="seeds: [0, 7]\n")
    assert once.start("x_seed0") == once.start("x_seed7") == "lift", "a source without seeds"
    of_fold = found(tmp_path, rows.replace(": lift}", ": lift_a}"), more="folds: [a, b]\n")
    assert of_fold.start("x_a") == of_fold.start("x_b") == "lift_a"


def test_the_section_of_a_method_may_say_it_for_all_rows_but_the_source(tmp_path: Path) -> None:
    more = "methods: {lift: {train: {start_from: lift}}}\n"
    rows = "  lift: {over: {train: {start_from: null}}}\n  x: {method: lift, drop_views: 0.5}\n"
    both = found(tmp_path, rows, more=more)
    assert both.start("x") == "lift" and both.start("lift") is None


def test_a_folder_is_tracked_by_its_files_and_found_beside_the_workflow(tmp_path: Path) -> None:
    random_run(tmp_path / "models/a b", tiny("lift"))
    fine = {"method": "lift"} | start("models/a b")
    mine = plan(runs={"fine": fine}, report=["fine"])
    assert mine.start_files("fine") == ["models/a b/weights.safetensors", "models/a b/settings.json"]
    assert mine.train_options("fine") == ["--start-from='models/a b'"]
    shipped = refused_folder("examples/phantom_model")
    assert f"run.method: lift, but dx2ct in {ROOT}/examples/phantom_model/settings.json" in shipped


# ---- what is refused

ROWS = {
    "a: {method: lift, over: {train: {start_from: a}}}": "a would start from itself: name another run, or in its row",
    "a: {method: lift, over: {train: {start_from: nobody}}}": "nobody is not a run (mean, dx2ct, lift, cnn2d, x2ctgan, "
    "perx2ct, sart, a); a model's folder is written with a slash, ./nobody",
    "a: {method: lift, over: {train: {start_from: dx2ct}}}": "dx2ct is of method dx2ct, a of lift",
    "a: {method: lift, over: {train: {start_from: mean}}}": "mean is of method mean, a of lift",
    "a: {method: lift, over: {train: {start_from: ''}}}": "'' is empty",
    "a: {method: lift, over: {train: {start_from: 3}}}": "3 is no text",
    "a: {method: lift, seeds: [1], over: {train: {start_from: a_seed1}}}": "a would start from itself",
}


@pytest.mark.parametrize("row", ROWS)
def test_a_source_that_cannot_be_is_one_line(row: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        found(tmp_path, f"  {row}\n", report="[a]")
    place = "mine.yaml:3: runs.a.over.train.start_from: "
    assert str(error.value).replace(f"{tmp_path}/", "").startswith(place + ROWS[row]) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (
            "  b: {method: lift, over: {train: {start_from: lift}}}\n"
            "  x: {method: lift, over: {train: {start_from: b}}}\n",
            "",
            "4: runs.x.over.train.start_from: b starts from lift itself: start from that, or from the folder of",
        ),
        (
            "  b: {method: lift, over: {train: {start_from: x}}}\n"
            "  x: {method: lift, over: {train: {start_from: b}}}\n",
            "",
            "3: runs.b.over.train.start_from: x starts from b itself",
        ),
        (
            "  x: {method: lift}\n",
            "methods: {lift: {train: {start_from: lift}}}\n",
            "2: methods.lift.train.start_from: lift would start from itself",
        ),
        (
            "  y: {weights_of: lift, views: [pa]}\n  x: {method: lift, over: {train: {start_from: y}}}\n",
            "",
            "4: runs.x.over.train.start_from: y has the weights of lift: start from that",
        ),
        (
            "  x: {method: lift, seeds: [1, 2], over: {train: {start_from: lift}}}\n  lift: {seeds: [1]}\n",
            "",
            "3: runs.x.over.train.start_from: lift is trained with the seeds 1, x with 1, 2: give both the same",
        ),
        (
            "  x: {method: lift, folds: [], over: {train: {start_from: lift}}}\n",
            "folds: [a]\n",
            "4: runs.x.over.train.start_from: lift is trained with the folds a, x with none: give both the same",
        ),
        (
            "  x: {method: lift, over: {train: {start_from: lift}, model: {octaves: 3}}}\n",
            "",
            "3: runs.x.over.model.octaves: 3, but 2 in lift, which it starts from",
        ),
        (
            "  x: {method: lift, views: [pa], over: {train: {start_from: lift}}}\n",
            "",
            "3: runs.x.views: [pa], but [pa, lateral] in lift, which it starts from",
        ),
        (
            "  x: {method: dx2ct, prediction: v, over: {train: {start_from: dx2ct}}}\n",
            "",
            "3: runs.x.prediction: v, but x0 in dx2ct, which it starts from",
        ),
        ("  x: {method: lift, over: {train: {steps: 0}}}\n", "", "3: runs.x.over.train.steps: 0, but there are no"),
    ],
)  # fmt: skip
def test_circles_chains_and_sources_of_another_kind_are_one_line(
    rows: str, more: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        found(tmp_path, rows, more=more)
    assert str(error.value).replace(f"{tmp_path}/", "").startswith(f"mine.yaml:{message}")
    assert "\n" not in str(error.value)


def test_what_only_a_training_needs_may_be_otherwise(tmp_path: Path) -> None:
    row = "  x: {method: lift, drop_views: 0.0, over: {train: {start_from: lift}, model: {l1_weight: 0.9}}}\n"
    assert found(tmp_path, row).settings("x").model.l1_weight == 0.9


@pytest.mark.parametrize("name", LEARNED)
def test_what_a_method_lets_change_is_a_key_of_it(name: str) -> None:
    values = tracked(tiny(name))
    for path in methods()[name].may_change:
        section, *keys = path.split(".")
        kind: Any = methods()[name].row if section == "run" else methods()[name].sections[section]
        for key in keys[:-1]:
            kind = kind.__pydantic_fields__[key].annotation
        assert keys[-1] in kind.__pydantic_fields__ and section in values


def refused_folder(folder: str, **values: Any) -> str:
    with pytest.raises(InputError) as error:
        plan(runs={"fine": {"method": "lift"} | start(folder)}, report=["fine"], **values)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_folder_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    place = "--config: runs.fine.over.train.start_from: "
    assert refused_folder("./gone") == (
        f"{place}gone/settings.json: no trained run here (No such file or directory): train it first"
    )
    random_run(tmp_path / "model", tiny("lift"))
    settings = "model/settings.json, which it starts from"
    assert refused_folder("./model", slices={"size": 16}) == f"{place}slices.size: 16, but 32 in {settings}"
    other = refused_folder("./model", methods={"lift": {"model": {"widths": [8, 8, 8, 16]}}})
    assert other == f"{place}model.widths: [8, 8, 8, 16], but [8, 8, 8, 8] in {settings}"
    wider = refused_folder("./model", volume={"spacing_mm": 3.0})
    assert wider == f"{place}volume: a cube of 240 mm, but a cube of 320 mm in {settings}"
    random_run(tmp_path / "other", tiny("cnn2d"))
    assert refused_folder("./other").startswith(f"{place}run.method: lift, but cnn2d in other/settings.json")
    (tmp_path / "model/weights.safetensors").unlink()
    assert refused_folder("./model") == (
        f"{place}model/weights.safetensors: missing: the run is not finished, train it first"
    )
    assert refused_folder("./{x}").startswith(f"{place}./{{x}}: braces stand for something else")
    assert plan(runs={"fine": {"method": "lift"} | start("./gone")}, report=["mean"]), "it is not reported"


def test_weights_that_have_seen_a_patient_of_the_test_are_refused() -> None:
    fine = {"method": "lift", "drop_views": 0.5, "folds": ["a", "c"]} | start("lift")
    assert plan(runs={"fine": fine, "lift": {"folds": ["a", "b", "c"]}}, report=["fine"]).start_files("fine_a") == [
        "results/lift_a/weights.safetensors"
    ]
    with pytest.raises(InputError) as error:
        plan(runs={"fine": fine}, report=["fine"])
    assert str(error.value) == (
        "--config: runs.fine.over.train.start_from: lift is trained on patient phantom-001, whom fine_a is tested on"
    )


def test_a_trained_run_on_a_cohort_that_only_tests_needs_no_source(tmp_path: Path) -> None:
    write_folds(tmp_path / "sheet.tsv")
    text = (tmp_path / "sheet.tsv").read_text().replace("\ttrain\t", "\ttest\t")
    (tmp_path / "external.tsv").write_text(text)
    fine = {"method": "lift", "drop_views": 0.5} | start("lift")
    mine = Plan([SMOKE], {"cohort": {"sheet": "external.tsv"}, "runs": {"fine": fine}, "report": ["fine"]}, ROOT)
    assert mine.start_files("fine") == [] and mine.train_options("fine") == []
