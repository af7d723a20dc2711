"""Rows with folds: a training for each column of the sheet, one set of test scans for the row, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from drr.errors import InputError
from dx2ct.config import tracked
from dx2ct.planning import Plan
from dx2ct.planning.resolve import resolve
from dx2ct.planning.show import to_yaml
from tests.conftest import ROOT

SMOKE = ROOT / "workflow/config/smoke.yaml"
HEAD, *ROWS = (ROOT / "workflow/resources/smoke.tsv").read_text(encoding="utf-8").splitlines()
SCANS = ("phantom-001", "phantom-002", "phantom-021")
FOLDS = {"a": ("test", "train", "train"), "b": ("train", "test", "train"), "c": ("train", "train", "test")}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is prepared."""
    monkeypatch.chdir(tmp_path)


def write_folds(path: Path, **columns: tuple[str, ...]) -> None:
    """The smoke sheet with columns split_NAME."""
    lines = ["\t".join([HEAD, *(f"split_{name}" for name in columns)])]
    lines += ["\t".join([row, *(parts[k] for parts in columns.values())]) for k, row in enumerate(ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def plan(columns: dict[str, tuple[str, ...]] | None = None, **values: Any) -> Plan:
    """The smoke configuration with values over it, on a sheet with folds."""
    write_folds(Path("folds.tsv"), **(FOLDS if columns is None else columns))
    return Plan([SMOKE], {"cohort": {"sheet": "folds.tsv"}} | values, ROOT)


def refused(columns: dict[str, tuple[str, ...]] | None = None, **values: Any) -> str:
    with pytest.raises(InputError) as error:
        plan(columns, **values)
    assert "\n" not in str(error.value)
    return str(error.value)


def mine(folder: Path, text: str) -> Any:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return resolve([folder / "mine.yaml"], ROOT)


def test_every_fold_is_trained_on_its_column_and_reconstructs_its_test_scans() -> None:
    found = plan(folds=["a", "c"], report=["mean", "dx2ct"])
    assert found.trainings(["dx2ct"]) == ["dx2ct_a", "dx2ct_c"]
    assert found.training_scans("dx2ct_a") == ["phantom-002", "phantom-021"]
    assert found.training_scans("dx2ct_c") == ["phantom-001", "phantom-002"]
    assert found.held_out("dx2ct") == {"phantom-001": "dx2ct_a", "phantom-021": "dx2ct_c"}
    assert found.weights_for("mean", "phantom-021") == "results/mean_c/weights.safetensors"
    assert found.train_options("mean_a") == ["--fold=a"] and found.score_options("mean") == ["--fold=a", "--fold=c"]
    assert found.reconstruct_options("mean", "phantom-021") == ["--fold=c"]
    assert found.folds_text("mean") == '{"a": "mean_a", "c": "mean_c"}'
    targets = found.targets()
    assert {f"results/dx2ct/volumes/{scan}.nii.gz" for scan in ("phantom-001", "phantom-021")} <= set(targets)
    assert "results/dx2ct/volumes/phantom-002.nii.gz" not in targets, "which no fold tests"
    assert {"results/dx2ct_a/weights.safetensors", "results/dx2ct/folds.json"} <= set(targets)
    assert "results/dx2ct/weights.safetensors" not in targets


def test_a_row_says_its_own_folds_or_none() -> None:
    rows = {"mean": {"folds": []}, "sart": {"folds": ["b"]}}
    found = plan(folds=["a", "b"], runs=rows, report=["mean", "sart", "dx2ct"])
    assert [found.trainings([run]) for run in ("mean", "sart", "dx2ct")] == [
        ["mean"],
        ["sart_b"],
        ["dx2ct_a", "dx2ct_b"],
    ]
    assert found.tests_of("mean") == ["phantom-021"] and found.tests_of("dx2ct") == ["phantom-001", "phantom-002"]
    assert found.tests == list(SCANS) and found.folds == ["b", "a"]


def test_seeds_and_folds_multiply_and_derived_runs_follow(tmp_path: Path) -> None:
    text = (
        "seeds: [0, 7]\nfolds: [a, b]\nruns:\n  x: {method: dx2ct}\n  y: {weights_of: x, reconstruct: {steps: 2}}\n"
        "  m: {method: mean}\nreport: [m, x, y]\n"
    )
    found = mine(tmp_path, text)
    assert found.config.report == ("m", "x_seed0", "x_seed7", "y_seed0", "y_seed7")
    assert found.trainings_of("x_seed7") == ["x_seed7_a", "x_seed7_b"] and found.trainings_of("m") == ["m_a", "m_b"]
    assert found.source_run("y_seed7_b") == "x_seed7_b" and found.settings("y_seed7_b").train.seed == 7
    assert found.sampling("y_seed7_b").steps == 2 and found.fold("y_seed7_b") == "b"
    (tmp_path / "shown.yaml").write_text(to_yaml(found))
    assert resolve([tmp_path / "shown.yaml"], ROOT).config == found.config


def test_a_fold_is_no_part_of_what_decides_a_training_beside_its_scans() -> None:
    found, without = plan(folds=["a", "b"]), plan()
    for run in ("mean", "dx2ct"):
        assert found.training(f"{run}_a") == found.training(f"{run}_b") == without.training(run)
    assert "folds" not in tracked(found.resolved.settings("dx2ct_a"))["run"]
    assert without.train_options("dx2ct") == [] and without.score_options("dx2ct") == []


def test_scans_of_no_column_and_folds_that_test_nothing_cost_nothing() -> None:
    columns = {"a": ("test", "", "train"), "b": ("train", "train", "train")}
    found = plan(columns, folds=["a", "b"], report=["mean"])
    assert found.training_scans("mean_a") == ["phantom-021"] and found.trainings(["mean"]) == ["mean_a"]
    assert any("fold b tests no usable scan: nothing is trained for it" in line for line in found.warnings())


@pytest.mark.parametrize(
    ("columns", "values", "message"),
    [
        (
            FOLDS,
            {"folds": ["a", "z"]},
            "folds.tsv: fold z: the sheet has no column split_z; its folds are a, b, c",
        ),
        ({}, {"folds": ["a"]}, "folds.tsv: fold a: the sheet has no column split_a; its folds are none"),
        (
            FOLDS | {"d": ("test", "train", "test")},
            {"folds": ["a", "d"]},
            "folds.tsv: scan phantom-001 is tested by mean_a and mean_d: once is enough",
        ),
    ],
)
def test_a_column_that_cannot_be_a_fold(columns: Any, values: dict[str, Any], message: str) -> None:
    assert refused(columns, **values) == message


def test_a_patient_in_two_parts_of_a_fold_is_refused_although_cohort_split_is_clean() -> None:
    write_folds(Path("folds.tsv"), **FOLDS)
    text = Path("folds.tsv").read_text().replace("phantom-002\tphantom-002", "phantom-002\tphantom-001")
    Path("folds.tsv").write_text(text)
    values = {"cohort": {"sheet": "folds.tsv"}, "report": ["mean"]}
    assert Plan([SMOKE], values, ROOT).folds == []
    with pytest.raises(InputError, match=r"^folds\.tsv: fold a: patient phantom-001 is in two splits \(test, train\)$"):
        Plan([SMOKE], values | {"folds": ["a"]}, ROOT)


def test_runs_that_share_no_test_scan_cannot_be_reported_together() -> None:
    found = plan(runs={"mean": {"folds": ["a"]}, "sart": {"folds": ["b"]}}, report=["mean", "sart"])
    with pytest.raises(InputError, match=r"no scan is tested by all runs of the report \(mean 1, sart 1\): give them"):
        found.targets()


def test_a_fold_without_training_scans_needs_the_run() -> None:
    found = plan({"a": ("test", "test", "test")}, folds=["a"], report=["mean"])
    with pytest.raises(
        InputError, match=r"no usable scan in split train of fold a, and no trained run in results/mean_a/"
    ):
        found.targets()
    Path("results/mean_a").mkdir(parents=True)
    for name in ("weights.safetensors", "settings.json"):
        (Path("results/mean_a") / name).touch()
    assert "results/mean/scores.csv" in found.targets()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: {x: {method: mean, folds: [a, a]}}", "1: runs.x.folds.1: a stands twice"),
        ("runs: {x: {method: mean, folds: a}}", "1: runs.x.folds: 'a' is no list"),
        ("runs: {x: {method: mean, folds: [A b]}}", "1: runs.x.folds.0: 'A b' does not match ^[a-z0-9_]+$"),
        ("folds: [a, a]\nruns: {x: {method: mean}}", "1: folds.1: a stands twice"),
        (
            "folds: [a]\nruns: {x: {method: mean}, x_a: {method: mean, folds: []}}",
            "2: runs.x_a: is the name of x on fold a: choose another",
        ),
        (
            "runs: {x: {method: mean, folds: [y_a]}, x_y: {method: mean, folds: [a]}}",
            "1: runs.x_y: x_y_a is the name of x_y on fold a: choose another",
        ),
    ],
)
def test_folds_that_cannot_be(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        mine(tmp_path, f"{text}\nreport: [x]\n")
    assert str(error.value).replace(f"{tmp_path}/", "") == f"mine.yaml:{message}"


def test_a_deviation_of_folds_is_not_calibrated_and_said_so() -> None:
    rows = {"ours": {"weights_of": "dx2ct", "reconstruct": {"samples": 2}}}
    found = plan(folds=["a", "c"], runs=rows, report=["dx2ct", "ours"])
    assert found.deviation_scales(found.report) == [] and found.calibrations(["ours"]) == [
        "results/ours/calibration.csv"
    ]
    assert "the deviation of ours is not calibrated: every fold has weights of its own" in found.warnings()


def test_what_is_said_of_a_training_is_of_its_fold() -> None:
    found = plan(folds=["a", "c"], report=["dx2ct"])
    assert found.seen_by("dx2ct_c", "train") == ["phantom-001", "phantom-002"]
    assert found.seen_by("dx2ct_c", "test") == ["phantom-021"]
    assert found.part_options("dx2ct_c", "train") == ["--fold=c"]
