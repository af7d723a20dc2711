"""From files to one configuration: what stands alone, what is suggested, one line with file and line for a fault."""

from functools import cache
from pathlib import Path
import re
import shutil
from typing import Any

import pytest
import yaml

from drr.errors import InputError
from dx2ct.config import DerivedRow, plain, tracked
from dx2ct.methods import methods
from dx2ct.planning.resolve import resolve, Resolved
from dx2ct.planning.show import to_yaml
from dx2ct.planning.tree import config_type, Sections
from tests.conftest import ROOT

CONFIGS = ROOT / "workflow/config"
FILES = {"demo": [ROOT / "config.yaml"]} | {path.stem: [path] for path in sorted(CONFIGS.glob("*.yaml"))}
FILES["pilot"].insert(0, CONFIGS / "paper.yaml")  # which is laid over another by its own comment
MINE = "runs: {a: {method: mean}, x: {method: dx2ct}}\nreport: [a]\n"  # what the faults below stand under


@cache
def found(name: str) -> Resolved:
    return resolve(FILES[name], ROOT)


def mine(folder: Path, text: str, overrides: dict[str, Any] | None = None) -> Resolved:
    """A file that stands alone, in which MINE stands first."""
    (folder / "mine.yaml").write_text(MINE + text, encoding="utf-8")
    return resolve([folder / "mine.yaml"], ROOT, overrides)


def fault(folder: Path, text: str, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(InputError) as error:
        mine(folder, text, overrides)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


# ---- what stands alone


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_project_resolves_and_every_run_has_settings(name: str) -> None:
    config = found(name).config
    for run in config.runs:
        assert found(name).settings(run).run.method in methods()
        found(name).sampling(run)


def test_the_paper_has_the_defaults_wherever_it_says_nothing() -> None:
    resolved, defaults = found("paper"), Sections()
    said = {path for path, _ in flat(resolved.values)}
    shown = dict(flat(plain(resolved.config)))
    blank = resolve([], ROOT, {"runs": {"x": {"method": "mean"}}, "report": ["x"]})
    silent = {path: value for path, value in flat(plain(blank.config)) if path[0] not in ("runs", "report")}
    assert plain(blank.config.volume) == plain(defaults.volume)
    different = {path for path, value in silent.items() if shown.get(path) != value}
    assert different <= said and len(silent) > 150


def test_the_paper_takes_nothing_of_the_demo(tmp_path: Path) -> None:
    """However config.yaml reads: here it is another one, and then no file at all."""
    root = tmp_path / "project"
    shutil.copytree(CONFIGS, root / "workflow/config")
    paper = [root / "workflow/config/paper.yaml"]
    expected = plain(found("paper").config)
    assert plain(resolve(paper, root).config) == expected, "without the demo's file"
    (root / "config.yaml").write_text(
        "volume: {size: 7}\nslices: {size: 7}\nruns: {mine: {method: mean}}\nreport: [mine]\n"
    )
    assert plain(resolve(paper, root).config) == expected
    (root / "over.yaml").write_text("base: config.yaml\n")
    assert resolve([root / "over.yaml"], root).config.volume.size == 7, "which asks for it"


@pytest.mark.parametrize("name", ["ablations", "ranking"])
def test_the_rankings_are_the_demo_with_their_own_values_over_it(name: str) -> None:
    demo, ranking = found("demo").config, found(name).config
    assert (ranking.volume.size, demo.volume.size) == (160, 320)
    assert ranking.volume.z_part == demo.volume.z_part == "center"
    seeds = ("", "_seed0") if name == "ranking" else ("",)
    assert all({run + seed for seed in seeds} & set(ranking.runs) for run in demo.runs)


def test_a_file_without_runs_is_told_how_to_be_laid_over_the_demo(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("volume: {size: 64}\n")
    with pytest.raises(InputError, match=r"runs: missing: a file stands alone; `base: config.yaml` in it lays it over"):
        resolve([tmp_path / "mine.yaml"], ROOT)


# ---- values


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    text = "methods: {dx2ct: {train: {learning_rate: 1e-3}}}\n"
    assert mine(tmp_path, text).config.methods.dx2ct.train.learning_rate == 1e-3
    over = {"methods": {"dx2ct": {"train": {"learning_rate": "2e-3", "steps": "7"}}}}
    trained = mine(tmp_path, text, over).config.methods.dx2ct.train
    assert (trained.learning_rate, trained.steps) == (2e-3, 7)
    assert mine(tmp_path, "volume: {spacing_mm: 2}\n").config.volume.spacing_mm == 2.0, "an integer is a number"


TRAIN = "methods:\n  dx2ct:\n    train: "  # line 5
FAULTS = {
    TRAIN + "{learning_rte: 1}": "5: methods.dx2ct.train.learning_rte: unknown key: did you mean learning_rate?",
    "volumme: {size: 3}": "3: volumme: unknown key: did you mean volume?",
    "methods: {dx2cd: {}}": "3: methods.dx2cd: unknown key: did you mean dx2ct?",
    "methods: {perx2ct: {train: {warmup: 1}}}": "3: methods.perx2ct.train.warmup: unknown key: did you mean warmup",
    "volume: {size: 800.0}": "3: volume.size: 800.0 is no integer",
    "volume: {size: true}": "3: volume.size: true is no integer",
    "volume: {spacing_mm: true}": "3: volume.spacing_mm: true is no number",
    "volume: {spacing_mm: '1'}": "3: volume.spacing_mm: '1' is no number",
    "volume: {spacing_mm: .nan}": "3: volume.spacing_mm: nan is no finite number",
    "volume: {spacing_mm: 0}": "3: volume.spacing_mm: 0 must be more than 0",
    "volume: 3": "3: volume: 3 is no section of keys and values",
    "score: {lpips: 1}": "3: score.lpips: 1 is not true or false",
    "score: {lpips: yes please}": "3: score.lpips: 'yes please' is not true or false",
    "cohort: {source: nowhere}": "3: cohort.source: 'nowhere' is not one of phantom, lidc, local",
    "xray: {attenuation: glass}": "3: xray.attenuation: 'glass': unknown attenuation 'glass'",
    "download: {sources: []}": "3: download.sources: needs at least 1 of them",
    "download: {sources: [{kind: ftp}]}": "3: download.sources.0.kind: 'ftp' is unknown (known: idc, nbia, local)",
    "reconstruct: {solver: euler}": "3: reconstruct.solver: euler is not one of ddim, dpm",
    "reconstruct: {solver: dpm, eta: 0.5}": "3: reconstruct.eta: 0.5 with solver dpm",
    "reconstruct:\n  consistency:\n    when: steps": "5: reconstruct.consistency.when: steps needs one volume at every",
    TRAIN + "\n      batch: 6\n      slices_per_patient: 4": "6: methods.dx2ct.train.batch: 6 is no multiple of",
    TRAIN + "\n      validation: {every: 0, patience: 3}": "6: methods.dx2ct.train.validation.every: 0, but patience",
    "methods:\n  perx2ct:\n    model:\n      norm_groups: 5": "6: methods.perx2ct.model.norm_groups: channels",
    TRAIN + "\n      warmup_steps: -1": "6: methods.dx2ct.train.warmup_steps: -1 must be 0 or more",
    "methods: {dx2ct: {model: {unet: {multipliers: []}}}}": "3: methods.dx2ct.model.unet.multipliers: needs at least",
    "methods: {dx2ct: {model: {encoder: {blocks: [1, 1]}}}}": "3: methods.dx2ct.model.encoder.blocks.2: missing",
    "train: {steps: 5}": "3: train: is methods.dx2ct.train now",
    "model: {}": "3: model: is methods.dx2ct.model now",
    "diffusion: {timesteps: 5}": "3: diffusion: is methods.dx2ct.diffusion now",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_one_line_with_file_line_and_key(text: str, tmp_path: Path) -> None:
    assert fault(tmp_path, text + "\n").startswith(f"mine.yaml:{FAULTS[text]}")


ROWS = {
    "{}": "b.method: missing",
    "{method: dx2cd}": "b.method: 'dx2cd' is unknown: did you mean dx2ct?",
    "{method: mean, views: [pa]}": "b.views: unknown key",
    "{method: dx2ct, view: [pa]}": "b.view: unknown key: did you mean views?",
    "{method: dx2ct, views: []}": "b.views: needs at least 1 of them",
    "{method: dx2ct, views: [pa, pa]}": "b.views: names a view twice: pa, pa",
    "{method: dx2ct, views: [pa, top]}": "b.views: top is not a name of xray.views (pa, lateral)",
    "{method: dx2ct, prediction: x1}": "b.prediction: 'x1' is not one of 'epsilon'",
    "{method: dx2ct, over: {train: {stepss: 1}}}": "b.over.train.stepss: unknown key: did you mean steps?",
    "{method: dx2ct, over: {train: {batch: 6}, model: 3}}": "b.over.model: is no section of methods.dx2ct",
    "{method: dx2ct, over: {train: {batch: 6, slices_per_patient: 4}}}": "b.over.train.batch: 6 is no multiple of",
    "{method: mean, over: {train: {steps: 3}}}": "b.over.train: is no section of methods.mean",
    "{weights_of: x, views: [top]}": "b.views: top is not a view of x (pa, lateral)",
    "{weights_of: x, views: [pa]}": "b.views: x is of method dx2ct, which needs all views",
    "{method: volumes}": "b.path: missing",
    "{method: volumes, path: a.nii}": "b.path: 'a.nii': names no {scan}",
    "{method: volumes, path: '{scan}-{x}.nii'}": "b.path: '{scan}-{x}.nii': only {scan} and {plane} stand for",
    "{weights_of: gone}": "b.weights_of: gone is not a run that is trained",
    "{weights_of: a}": "b.weights_of: a is of method mean, which does not sample",
    "{weights_of: b}": "b.weights_of: b is not a run that is trained",
    "{weights_of: x, method: dx2ct}": "b.method: unknown key",
    "{weights_of: x, reconstruct: {stps: 3}}": "b.reconstruct.stps: unknown key: did you mean steps?",
    "{weights_of: x, reconstruct: {steps: 0}}": "b.reconstruct.steps: 0 must be more than 0",
    "{weights_of: x, reconstruct: {consistency: {when: steps}}}": "b.reconstruct.consistency.when: steps needs one",
    "{weights_of: x, reconstruct: {solver: dpm, eta: 1}}": "b.reconstruct.eta: 1",
}


@pytest.mark.parametrize("row", ROWS)
def test_a_run_that_cannot_be_names_its_key(row: str, tmp_path: Path) -> None:
    text = f"runs:\n  a: {{method: mean}}\n  x: {{method: dx2ct}}\n  b: {row}\nreport: [a, b]\n"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        resolve([tmp_path / "mine.yaml"], ROOT)
    assert f"mine.yaml:4: runs.{ROWS[row]}" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ("[a, nobody]", "report.1: nobody is not a row of runs (a, x)"),
        ("[a, x, a]", "report.2: a stands twice"),
        ("[]", "report: needs at least 1 of them"),
        ("a", "report: 'a' is no list"),
    ],
)
def test_a_report_that_cannot_be(report: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"runs: {{a: {{method: mean}}, x: {{method: dx2ct}}}}\nreport: {report}\n")
    with pytest.raises(InputError) as error:
        resolve([tmp_path / "mine.yaml"], ROOT)
    assert f"mine.yaml:2: {problem}" in str(error.value)


# ---- several seeds


def test_a_run_that_learns_is_one_for_each_seed_and_so_is_what_uses_its_weights(tmp_path: Path) -> None:
    text = (
        "seeds: [0, 7]\nruns:\n  a: {method: mean}\n  x: {method: dx2ct, over: {train: {seed: 3, steps: 5}}}\n"
        "  y: {weights_of: x, reconstruct: {steps: 2}}\nreport: [a, y, x]\n"
    )
    (tmp_path / "mine.yaml").write_text(text)
    found = resolve([tmp_path / "mine.yaml"], ROOT)
    assert set(found.config.runs) == {"a", "x_seed0", "x_seed7", "y_seed0", "y_seed7"}
    assert found.config.report == ("a", "y_seed0", "y_seed7", "x_seed0", "x_seed7")
    train = found.settings("x_seed7").train
    assert (train.seed, train.steps) == (7, 5) and found.settings("x_seed0").train.seed == 0
    assert found.source_run("y_seed7") == "x_seed7" and found.sampling("y_seed7").steps == 2
    (tmp_path / "shown.yaml").write_text(to_yaml(found))
    assert f"{tmp_path}/mine.yaml:4" in to_yaml(found), "the row that it was made of"
    assert resolve([tmp_path / "shown.yaml"], ROOT).config == found.config


def test_a_row_may_have_seeds_of_its_own(tmp_path: Path) -> None:
    text = (
        "seeds: [0, 1]\nruns:\n  x: {method: dx2ct, seeds: [5]}\n  y: {method: lift, seeds: []}\n  z: {weights_of: x}\n"
        "  w: {method: lift}\nreport: [w, x, y, z]\n"
    )
    (tmp_path / "mine.yaml").write_text(text)
    found = resolve([tmp_path / "mine.yaml"], ROOT)
    assert found.config.report == ("w_seed0", "w_seed1", "x_seed5", "y", "z_seed5")
    assert found.settings("x_seed5").train.seed == 5 and "seeds" not in tracked(found.settings("x_seed5"))["run"]


def test_seeds_change_nothing_of_what_decides_a_training_but_the_seed() -> None:
    one = resolve([ROOT / "config.yaml"], ROOT, {"runs": {"lift": {"over": {"train": {"seed": 7}}}}})
    several = resolve([ROOT / "config.yaml"], ROOT, {"seeds": [7]})
    assert several.settings("lift_seed7") == one.settings("lift")


def test_seeds_that_cannot_be(tmp_path: Path) -> None:
    assert "mine.yaml:3: seeds.1: 4 stands twice" in fault(tmp_path, "seeds: [4, 4]\n")
    assert "seeds.0: -1" in fault(tmp_path, "seeds: [-1]\n") and "seeds: 3 is no list" in fault(tmp_path, "seeds: 3\n")
    (tmp_path / "mine.yaml").write_text("runs: {x: {method: mean, seeds: [1]}}\nreport: [x]\n")
    with pytest.raises(InputError, match=r"mine\.yaml:1: runs\.x\.seeds: mean is not trained by steps: leave it out"):
        resolve([tmp_path / "mine.yaml"], ROOT)
    text = "runs: {x: {method: dx2ct}, x_seed1: {method: dx2ct}}\nseeds: [1]\nreport: [x]\n"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml:1: runs\.x_seed1: is the name of x with seed 1: choose"):
        resolve([tmp_path / "mine.yaml"], ROOT)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    message = fault(tmp_path, "volume: {sise: 1}\nslices:\n  size: 0\n")
    assert (
        message
        == "mine.yaml:3: volume.sise: unknown key: did you mean size?; mine.yaml:5: slices.size: 0 must be more than 0"
    )


def test_the_command_line_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    assert fault(tmp_path, "", {"slices": {"size": "800.0"}}) == "--config: slices.size: 800.0 is no integer"
    assert fault(tmp_path, "", {"train": {}}).startswith("--config: train: is methods.dx2ct.train now")


def test_a_fault_between_files_names_the_one_that_said_the_key_last(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("slices:\n  size: 400\nreport: [x]\n")
    (tmp_path / "mine.yaml").write_text(MINE)
    with pytest.raises(InputError) as error:
        resolve([tmp_path / "mine.yaml", tmp_path / "over.yaml"], ROOT)
    assert f"{tmp_path}/over.yaml:2: slices.size: 400 is more than volume.size, 320" in str(error.value)


# ---- shown


@pytest.mark.parametrize("name", FILES)
def test_what_is_shown_resolves_to_the_same(name: str, tmp_path: Path) -> None:
    resolved = found(name)
    (tmp_path / "shown.yaml").write_text(to_yaml(resolved), encoding="utf-8")
    again = resolve([tmp_path / "shown.yaml"], ROOT)
    assert plain(again.config) == plain(resolved.config) and again.config == resolved.config


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_shown_with_where_it_is_from(name: str) -> None:
    """FILE:LINE names the line in which the key stands; a default is told with its source where it has one."""
    resolved = found(name)
    lines = to_yaml(resolved).splitlines()
    shown = {path: value for path, value in flat(yaml.safe_load("\n".join(lines))) if path[0] != "runs"}
    keys = {path for path, _ in flat(plain(resolved.config)) if path[-1] != "version" and path[0] != "runs"}
    assert set(shown) == keys
    assert all(re.search(r"  # (default|default, .+|[\w./-]+:\d+)$", line) for line in lines if not line.endswith(":"))
    for line in lines:
        if place := re.search(r"^ *([\w-]+): .*  # ([\w./-]+):(\d+)$", line):
            key, file, number = place.groups()
            key = re.sub(r"_seed\d+$", "", key)  # one row of the file is a run for each seed
            assert key in (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1]


def test_the_paper_s_sources_are_shown() -> None:
    text = to_yaml(found("paper"))
    assert "spacing_mm: 1.0  # default, X2CT" in text and 'solver: "ddim"  # default, paper' in text


def flat(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """All values that are no objects, by path; an empty object is a value."""
    if isinstance(value, dict) and value:
        return [pair for key, inner in value.items() for pair in flat(inner, (*path, key))]
    return [(path, value)]


def test_derived_rows_are_told_from_others_by_one_key() -> None:
    rows = found("demo").config.runs
    assert isinstance(rows["dx2ct_consistent"], DerivedRow)
    assert config_type() is config_type(), "made once"
