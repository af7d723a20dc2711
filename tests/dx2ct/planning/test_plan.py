"""What the rules ask: settings strings that hold what decides a result and nothing else, scans, and bad sheets."""

import json
from pathlib import Path
from typing import Any

import pytest

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import parse, XraySettings
from dx2ct.data.prepare.failed import recorded
from dx2ct.methods import methods
from dx2ct.methods.saved import parse_run
from dx2ct.planning import Plan
from tests.conftest import ROOT

SMOKE = ROOT / "workflow/config/smoke.yaml"
SHEET = (ROOT / "workflow/resources/smoke.tsv").read_text(encoding="utf-8")
VIEWS = {"pa": "pa", "lateral": "lateral", "oblique": {"gantry": 45, "tilt": 10}}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is prepared."""
    monkeypatch.chdir(tmp_path)


def plan(**values: Any) -> Plan:
    """The smoke configuration with values over it."""
    return Plan([SMOKE], values, ROOT)


def dx2ct(**sections: Any) -> dict[str, Any]:
    return {"methods": {"dx2ct": sections}}


# ---- settings strings


@pytest.mark.parametrize("run", plan().config.runs)
def test_a_run_s_settings_say_everything_and_nothing_of_the_machine(run: str) -> None:
    values = json.loads(plan().training(run))
    method, settings = parse_run(plan().training(run))
    assert method is methods()[values["run"]["method"]]
    assert settings == plan().resolved.settings(run)
    assert set(values) <= {"run", "volume", "slices", "xray", *method.sections}
    assert ("xray" in values) == method.looks_at_xrays
    assert not {"engine", "cohort", "download", "reconstruct", "score"} & set(values)


ELSEWHERE = [  # changes that no weights of dx2ct depend on
    {"engine": {"compile": True, "memory_format": "channels_last"}},
    {"download": {"tries": 9}},
    {"reconstruct": {"steps": 3, "solver": "dpm"}},
    {"score": {"data_range_hu": 4095.0}},
    {"methods": {"cnn2d": {"train": {"steps": 3}}}},
    {"runs": {"another": {"method": "dx2ct", "views": ["pa"]}}},
    {"report": ["mean"]},
    {"cohort": {"filters": {"max_slice_mm": None}}},
    {"xray": {"views": VIEWS}},
    {"xray": {"views": dict(reversed(VIEWS.items()))}},
    dx2ct(train={"beta1": 0.9, "weight_decay": 0.0, "optimizer": "adam"}),  # defaults, now said
    {"runs": {"dx2ct": {"views": ["pa", "lateral"]}}},
]
OWN = [
    dx2ct(train={"steps": 5}),
    dx2ct(train={"beta1": 0.8}),
    dx2ct(model={"unet": {"dropout": 0.1}}),
    dx2ct(diffusion={"beta_end": 0.03}),
    {"volume": {"spacing_mm": 3.0}},
    {"slices": {"size": 16}},
    {"xray": {"geometry": "perx2ct"}},
    {"xray": {"attenuation": "water:60"}},
    {"xray": {"views": VIEWS | {"lateral": {"gantry": 91}}}},
    {"runs": {"dx2ct": {"views": ["pa"]}}},
    {"runs": {"dx2ct": {"views": ["lateral", "pa"]}}},
    {"runs": {"dx2ct": {"prediction": "v"}}},
]


@pytest.mark.parametrize("change", ELSEWHERE, ids=str)
def test_what_a_training_does_not_read_leaves_its_settings_as_they_are(change: dict[str, Any]) -> None:
    assert plan(**change).training("dx2ct") == plan().training("dx2ct")


@pytest.mark.parametrize("change", OWN, ids=str)
def test_what_a_training_reads_is_in_its_settings(change: dict[str, Any]) -> None:
    assert plan(**change).training("dx2ct") != plan().training("dx2ct")


def test_every_default_may_be_said_without_changing_anything() -> None:
    """A whole configuration written out, as --resolve does, reruns nothing."""
    from dx2ct.config import plain

    said = plan(**json.loads(plan().everything()))
    assert plain(said.config) == plain(plan().config)
    for run in plan().config.runs:
        assert said.training(run) == plan().training(run) and said.sampling(run) == plan().sampling(run)
    assert [said.stage(name) for name in ("volume", "xray", "slices", "score")] == [
        plan().stage(name) for name in ("volume", "xray", "slices", "score")
    ]


def test_a_view_is_rendered_by_its_own_exposure_alone() -> None:
    both, more = plan(), plan(xray={"views": VIEWS})
    assert more.rendering("pa") == both.rendering("pa")
    assert list(parse(XraySettings, more.rendering("oblique")).views) == ["oblique"]
    turned = plan(xray={"views": VIEWS | {"pa": {"gantry": 170}}})
    assert turned.rendering("pa") != more.rendering("pa") and turned.rendering("lateral") == more.rendering("lateral")


def test_a_derived_run_has_its_source_s_settings_and_its_own_way_to_sample() -> None:
    row = {"weights_of": "dx2ct", "reconstruct": {"steps": 9, "consistency": {"iterations": 3}}}
    derived = plan(runs={"ours": row}, report=["mean", "ours"])
    assert derived.is_derived("ours") and derived.source_run("ours") == "results/dx2ct"
    assert derived.training("ours") == derived.training("dx2ct")
    sampled, plain_one = json.loads(derived.sampling("ours")), json.loads(derived.sampling("dx2ct"))
    assert sampled == plain_one | {"steps": 9, "consistency": plain_one["consistency"] | {"iterations": 3}}


# ---- inputs of jobs


def test_inputs_are_those_of_the_views_that_a_run_sees() -> None:
    rows = {"other": {"method": "sart", "views": ["pa", "oblique"]}}
    asked = plan(xray={"views": VIEWS}, runs=rows, report=["mean", "other"])
    assert asked.views_of("mean") == [] and asked.views_of("other") == ["pa", "oblique"]
    assert asked.xrays(["s"], asked.views_of("other")) == ["data/xrays/s/pa.mha", "data/xrays/s/oblique.mha"]
    assert asked.xrays(["s"]) == [f"data/xrays/s/{view}.mha" for view in VIEWS]


def test_parts_of_the_split_that_a_training_looks_at() -> None:
    assert plan().parts_of("mean") == ("train",)
    validated = plan(**dx2ct(train={"validation": {"every": 2, "split": "val"}}))
    assert validated.parts_of("dx2ct") == ("train", "val")


def test_only_what_learns_is_started_by_torchrun() -> None:
    assert plan().python_of("dx2ct", 1) == plan().python_of("mean", 4) == "python -m"
    assert plan().python_of("dx2ct", 4).startswith("torchrun --standalone --nproc-per-node 4")


def test_a_scan_that_failed_is_left_out_until_something_changes(tmp_path: Path) -> None:
    """The record is the one that `dx2ct volume` writes."""
    source = Path("data/raw/phantom-002.zip")
    source.parent.mkdir(parents=True)
    source.write_text("broken")
    uid = plan().cohort["phantom-002"]["series_uid"]
    with (
        pytest.raises(InputError),
        recorded(layout.failure(layout.DATA, "phantom-002"), source, plan().stage("volume"), uid),
    ):
        raise InputError("cannot be read")
    assert plan().failed == {"phantom-002": "cannot be read"}
    assert plan().usable("train") == ["phantom-001"]
    assert plan().leave_out("train") == ["--leave-out=phantom-002"] and plan().leave_out("test") == []
    assert "scan phantom-002 is left out: cannot be read" in plan().warnings()[0]
    assert plan(volume={"z_part": "superior"}).failed == {}, "other settings are a new attempt"
    source.write_text("repaired")
    assert plan().failed == {}


def test_a_volume_made_elsewhere_that_is_missing_is_one_line_before_anything_runs(tmp_path: Path) -> None:
    row = {"method": "volumes", "path": f"{tmp_path}/theirs/{{scan}}.nii.gz"}
    with pytest.raises(InputError) as error:
        plan(runs={"theirs": row}, report=["theirs"])
    missing = tmp_path / "theirs/phantom-021.nii.gz"
    assert f"runs.theirs: {missing}: no such file" in str(error.value) and "\n" not in str(error.value)
    missing.parent.mkdir()
    missing.touch()
    assert plan(runs={"theirs": row}, report=["theirs"]).files_of("theirs", "phantom-021") == [str(missing)]
    assert plan(runs={"theirs": row}).files_of("mean", "phantom-021") == []


# ---- sheets


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (SHEET + SHEET.splitlines()[1].replace("train", "test").replace("phantom-001\t", "x\t", 1) + "\n", "patient"),
        (SHEET + SHEET.splitlines()[1] + "\n", "scan phantom-001"),
        (SHEET.replace("\ttrain\t", "\ttrian\t", 1), "line 2, split: 'trian' is not one of"),
        (SHEET.replace("phantom-001\t", "../001\t", 1), "line 2, scan: '../001' is not letters"),
        (SHEET.replace("\tsplit\t", "\tpart\t", 1), "line 1: no column split"),
        (SHEET.replace("\tseed\t", "\tsead\t", 1), "line 1: no column seed"),
        (SHEET.replace("\t1\t-86", "\tone\t-86", 1), "line 2, seed: 'one' is not a whole number"),
        (SHEET.replace("\ttrain\t1\t", "\ttrain", 1), "line 2"),
        (SHEET.splitlines()[0] + "\n", "no scan in it"),
    ],
)
def test_a_bad_sheet_is_one_line_naming_file_and_line(tmp_path: Path, sheet: str, message: str) -> None:
    (tmp_path / "bad.tsv").write_text(sheet)
    with pytest.raises(InputError) as error:
        plan(cohort={"sheet": "bad.tsv"})
    assert str(error.value).startswith("bad.tsv: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def test_without_test_scans_all_trains_and_makes_the_quality_page(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text(SHEET.replace("\ttest\t", "\tval\t"))
    mine = plan(cohort={"sheet": "all.tsv"}, report=["mean"])
    run = [f"results/mean/{name}" for name in ("weights.safetensors", "settings.json")]
    assert mine.targets() == ["results/qc.html", *run]
    assert any("no usable scan in split test" in warning for warning in mine.warnings())


def test_a_deviation_is_calibrated_where_there_is_a_validation_scan(tmp_path: Path) -> None:
    rows = {"ours": {"weights_of": "dx2ct", "reconstruct": {"samples": 2}}}
    (tmp_path / "val.tsv").write_text(SHEET.replace("\ttrain\t", "\tval\t", 1))
    made = "results/ours/deviation_scale.json"
    mine = plan(cohort={"sheet": "val.tsv"}, runs=rows, report=["dx2ct", "ours"])
    assert mine.deviation_scales(mine.report) == [made] and made in mine.targets()
    assert not any("not calibrated" in warning for warning in mine.warnings())
    none = plan(runs=rows, report=["dx2ct", "ours"])
    assert none.deviation_scales(none.report) == [] and made not in none.targets()
    assert none.calibrations(none.report) == ["results/ours/calibration.csv"]
    (said,) = [warning for warning in none.warnings() if "not calibrated" in warning]
    assert said.endswith("no usable scan in split val: the deviation of ours is not calibrated")
    assert not any("not calibrated" in warning for warning in plan().warnings()), "one sample has no deviation"


def test_without_training_scans_the_runs_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "external.tsv").write_text(SHEET.replace("\ttrain\t", "\ttest\t"))
    mine = plan(cohort={"sheet": "external.tsv"}, report=["mean"])
    with pytest.raises(InputError, match=r"external\.tsv: .*no trained run in results/mean/: copy its folder there"):
        mine.targets()
    (tmp_path / "results/mean").mkdir(parents=True)
    for name in ("weights.safetensors", "settings.json"):
        (tmp_path / "results/mean" / name).touch()
    assert {"results/report.html", "results/mean/scores.csv"} <= set(mine.targets())
    assert any("no usable scan in split train" in warning for warning in mine.warnings())


def test_a_limit_of_a_cohort_that_only_trains_or_only_tests(tmp_path: Path) -> None:
    for split in ("train", "test"):
        sheet = SHEET.replace("\ttrain\t", f"\t{split}\t").replace("\ttest\t", f"\t{split}\t")
        (tmp_path / f"{split}.tsv").write_text(sheet)
        assert len(plan(cohort={"sheet": f"{split}.tsv", "limit": 2}).usable(split)) == 2


def test_a_path_that_looks_like_a_pattern_is_no_input_and_its_content_is_tracked(tmp_path: Path) -> None:
    scans = {"plain": tmp_path / "a.nii", "braces": tmp_path / "{scan}/b{0}.nii"}
    rows = [f"{name}\t{name}\t{path}\t1.2\ttrain\n" for name, path in scans.items()]
    (tmp_path / "own.tsv").write_text("scan\tpatient\tpath\tseries_uid\tsplit\n" + "".join(rows))
    mine = plan(cohort={"source": "local", "sheet": "own.tsv"})
    assert mine.source_files("plain") == [str(scans["plain"])] and mine.source_stamp("plain") == "1.2"
    assert mine.source_files("braces") == []
    stamps = {mine.source_stamp("braces")}
    scans["braces"].parent.mkdir()
    for content in ("one", "three"):
        scans["braces"].write_text(content)
        stamps.add(mine.source_stamp("braces"))
    assert len(stamps) == 3


def test_a_sheet_that_is_nowhere_is_one_line() -> None:
    with pytest.raises(InputError, match=r"no/where\.tsv: sheet cannot be read"):
        plan(cohort={"sheet": "no/where.tsv"})


def test_a_column_that_a_filter_needs(tmp_path: Path) -> None:
    (tmp_path / "sheet.tsv").write_text(SHEET)
    for section, key in (({"split": "mine"}, "split"), ({"filters": {"min_z_mm": 1.0}}, "filters.min_z_mm")):
        with pytest.raises(InputError, match=rf"sheet\.tsv: (line 1: no column|cohort\.{key})"):
            plan(cohort={"sheet": "sheet.tsv"} | section)
