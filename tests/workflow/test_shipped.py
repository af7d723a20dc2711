"""What leaves the clone: the wheel's contents and commands, a project's folder, the workflow as a module."""

from importlib.metadata import EntryPoint
import os
from pathlib import Path
import subprocess
import sys
import tomllib
import zipfile

import pytest
from typer.testing import CliRunner
import yaml

from drr.errors import InputError
from dx2ct.cli import app, GROUPS
from dx2ct.cli.project import bases, write_examples, write_project
from dx2ct.planning.resolve import resolve
from tests.commands import GROUP
from tests.workflow.snake import jobs, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SMOKE_JOBS = {"fetch": 3, "volume": 3, "slices": 3, "xray": 6, "train": 2, "reconstruct": 2, "score": 2}
MODULE = """\
configfile: "config.yaml"

module dx2ct:
    snakefile: "{root}/workflow/Snakefile"
    config: config

use rule * from dx2ct as dx2ct_*

rule mine:
    default_target: True
    input: rules.dx2ct_all.input
"""


def dry_run(folder: Path) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
    return subprocess.run(line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake runs outside the clone here, as where dx2ct is installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built by the setuptools that is here, of a copy, which a build leaves its own folders in."""
    pytest.importorskip("setuptools", "77", reason="the wheel is built by setuptools 77 or newer")
    copy, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).symlink_to(ROOT / name)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_carries_the_workflow_once_and_whole(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    parts = ["Snakefile", "config.yaml", "environment.yml", "rules", "workflow", "profiles", "examples"]
    for part in [*parts, "bench/ranking_scores.csv", "bench/submitted"]:
        files = [ROOT / part] if (ROOT / part).is_file() else (ROOT / part).rglob("*")
        for path in (path for path in files if path.is_file() and "__pycache__" not in path.parts):
            assert wheel.read(f"dx2ct/project/{path.relative_to(ROOT)}") == path.read_bytes()
    for package in ("drr", "dx2ct"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "rules/", "workflow/"))]
    assert sum(one.compress_size for one in wheel.infolist()) < 25e6


def test_an_image_is_built_from_all_that_the_wheel_carries(wheel: zipfile.ZipFile) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    passed = tuple(Path(line[1:]) for line in lines if line.startswith("!"))
    carried = [Path(name.removeprefix("dx2ct/project/")) for name in wheel.namelist() if ".dist-info/" not in name]
    assert lines[0] == "*" and len(carried) > 500
    assert not [name for name in carried if not any(name.is_relative_to(one) for one in passed)]


def test_the_commands_of_the_wheel_are_functions() -> None:
    for name, target in PROJECT["scripts"].items():
        assert callable(EntryPoint(name, target, "console_scripts").load())


def test_every_command_has_a_title_in_the_help() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    assert all(f"\n{title}:\n" in text for title in GROUPS)
    assert all(getattr(command, "rich_help_panel", None) in GROUPS for command in GROUP.commands.values())


@pytest.mark.parametrize("program", ["drr", "dx2ct"])
def test_both_programs_say_their_version_and_complete(program: str) -> None:
    complete = ["--print-completion", "bash"] if program == "drr" else ["--show-completion", "bash"]
    for words, expected in (["--version"], program), (complete, "complete"):
        done = subprocess.run(
            [sys.executable, "-m", program, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},  # make runs this under sh
        )
        assert done.returncode == 0 and expected in done.stdout, done.stderr


def test_verbose_says_where_an_error_came_from_and_quiet_says_no_note(tmp_path: Path) -> None:
    def said(*words: str) -> str:
        line = [sys.executable, "-m", "drr", *words, "info", str(tmp_path / "none.mha")]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True).stderr

    assert said().startswith("error: ") and said().count("\n") == 1
    assert "Traceback" in said("-v") and said("-v").splitlines()[-1] == said().strip()
    code = "from drr.progress import be_quiet, say; say('one'); be_quiet(); say('two')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "one\n"


def test_a_new_project_plans_the_whole_pipeline(tmp_path: Path, paths: None) -> None:
    done = CliRunner().invoke(app, ["new", str(tmp_path / "x"), "--like", "smoke"])
    assert done.exit_code == 0 and done.output == f"next: cd {tmp_path}/x && snakemake -n\n"
    planned = dry_run(tmp_path / "x")
    assert planned.returncode == 0, planned.stdout
    assert SMOKE_JOBS.items() <= jobs(planned.stdout).items()
    assert "profiles/default" in planned.stdout


def test_the_example_xrays_are_copied_once_with_their_attribution(tmp_path: Path) -> None:
    folder = tmp_path / "xrays"
    done = CliRunner().invoke(app, ["example-xrays", str(folder)])
    xrays = f"--pa {folder}/chest_pa.mha --lateral {folder}/chest_lateral.mha"
    assert done.output == f"next: dx2ct predict {xrays} -o ct.nii.gz --png sheet.png\n"
    assert {path.name for path in folder.iterdir()} == {"README.md", "chest_pa.mha", "chest_lateral.mha"}
    assert "CC BY 3.0" in (folder / "README.md").read_text()
    with pytest.raises(InputError, match="is there already: name a new folder"):
        write_examples(folder)


def test_a_project_without_its_configuration_runs_no_other(tmp_path: Path, paths: None) -> None:
    write_project(tmp_path / "x", "demo")
    (tmp_path / "x/config.yaml").unlink()
    planned = dry_run(tmp_path / "x")
    assert planned.returncode != 0
    assert "error: config.yaml: configuration cannot be read (No such file or directory)" in planned.stdout


@pytest.mark.parametrize("like", bases())
def test_a_project_may_begin_with_every_configuration(tmp_path: Path, like: str) -> None:
    write_project(tmp_path / "x", like)
    own = resolve([tmp_path / "x/config.yaml"], ROOT)
    assert own.config == resolve([ROOT / bases()[like]], ROOT).config


def test_what_new_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{tmp_path}: is there already: name a new folder"):
        write_project(tmp_path, "demo")
    with pytest.raises(InputError, match=r"--like papr: no such configuration: choose demo, ablations, .*smoke"):
        write_project(tmp_path / "x", "papr")


def test_the_workflow_is_a_module_of_another(tmp_path: Path, paths: None) -> None:
    (tmp_path / "Snakefile").write_text(MODULE.format(root=ROOT))
    (tmp_path / "config.yaml").write_text("base: workflow/config/smoke.yaml\n")
    planned = dry_run(tmp_path)
    assert planned.returncode == 0, planned.stdout
    assert {f"dx2ct_{rule}": count for rule, count in SMOKE_JOBS.items()}.items() <= jobs(planned.stdout).items()


def test_a_fault_in_what_a_module_is_given_is_one_line(tmp_path: Path, paths: None) -> None:
    (tmp_path / "Snakefile").write_text(MODULE.format(root=ROOT))
    (tmp_path / "config.yaml").write_text("base: workflow/config/smoke.yaml\nvolum: {}\n")
    lines = [line for line in dry_run(tmp_path).stdout.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and lines[0].startswith("error: the module's config: volum: ")


def test_what_the_catalog_asks_for_is_there() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] is False and usage["report"] is True
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (ROOT / "workflow/Snakefile").is_file() and (ROOT / "config/README.md").is_file()
    deployed = resolve([ROOT / "config/config.yaml"], ROOT)
    assert deployed.config == resolve([ROOT / "config.yaml"], ROOT).config


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] and citation["license"] == PROJECT["license"]
