"""`--help` of every command: fast, complete, and an unknown option or a user's mistake is one line."""

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct.cli import app
from dx2ct.methods.saved import read_run
from tests.commands import COMMANDS, GROUP, parsers
from tests.conftest import ROOT

LIGHT_SECONDS = 1.0  # of the CPU; it takes a tenth of that


def call(*line: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", *line], capture_output=True, text=True, cwd=cwd)


def parameters() -> Iterator[tuple[str, object]]:
    for name, command in COMMANDS.items():
        for parameter in command.params:
            yield name, parameter


@pytest.mark.parametrize("package", ["dx2ct", "drr"])
def test_help_answers_at_once_without_heavy_imports(package: str) -> None:
    code = "import sys, runpy, atexit, time; sys.argv = ['x', '--help'];"
    code += "heavy = ('torch', 'numpy', 'pydantic', 'scipy');"
    code += "atexit.register(lambda: print([n for n in heavy if n in sys.modules], time.process_time()));"
    code += f"runpy.run_module('{package}', run_name='__main__', alter_sys=True)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    imported, seconds = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert imported == "[]" and float(seconds) < LIGHT_SECONDS
    for name in GROUP.commands if package == "dx2ct" else parsers():
        assert f" {name} " in done.stdout


def test_help_of_every_command_names_every_option_and_loads_no_torch() -> None:
    """In one interpreter, or twenty would be started."""
    code = "import sys; from typer.testing import CliRunner; from dx2ct.cli import app; run = CliRunner().invoke\n"
    code += f"for name in {list(COMMANDS)}:\n"
    code += "    done = run(app, [*name.split(), '--help']); assert done.exit_code == 0\n"
    code += "    print('== ' + name); print(done.output)\n"
    code += "assert not {'torch', 'pandas', 'SimpleITK', 'snakemake'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    pages = dict(part.split("\n", 1) for part in done.stdout.split("== ")[1:])
    assert set(pages) == set(COMMANDS)
    for name, parameter in parameters():
        names = getattr(parameter, "opts", []) if parameter.param_type_name == "option" else [str(parameter.name)]
        assert any(one in pages[name] for one in names), f"{name} {parameter.name}"


def test_every_option_says_what_it_is() -> None:
    bare = {f"{name} {one.name}" for name, one in parameters() if one.param_type_name == "option" and not one.help}
    assert not {one for one in bare if not one.endswith(" help")}
    assert all((command.help or "").strip() for command in COMMANDS.values())


@pytest.mark.parametrize("name", parsers())
def test_help_of_the_ray_caster_s_commands(name: str) -> None:
    done = call("drr", name, "--help")
    assert done.returncode == 0
    for action in parsers()[name]._actions:
        assert all(option in done.stdout for option in action.option_strings)


def test_no_argument_shows_the_commands() -> None:
    done = call("dx2ct")
    assert "Usage" in done.stdout + done.stderr and "reconstruct" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--sheat", "x"],
        ["nonsense"],
        ["volume", "a.zip"],
        ["config", "--resolv"],
        ["reconstruct", "a", "--threads", "-1"],
    ],
)
def test_a_misspelt_option_is_refused_with_what_to_type(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "Traceback" not in done.output and "Error" in done.output


def test_settings_nested_without_end_are_one_line(tmp_path: Path) -> None:
    """Of a model that somebody handed out: Python's JSON follows each level by a call."""
    (tmp_path / "settings.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"settings\.json: settings are no JSON"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["config", "gone.yaml"], "gone.yaml: configuration cannot be read"),
        (["volume", "gone.zip", "--settings", "{", "-o", "x.mha"], "settings are no JSON"),
        (["volume", "gone.zip", "--settings", '{"sise": 3}', "-o", "x.mha"], "sise: unknown key: did you mean size?"),
        (
            ["volume", "gone.zip", "--settings", '{"version": 1}', "-o", "x.mha"],
            "settings of stage volume are of version 1",
        ),
        (["xray", "gone.mha", "--settings", "{}", "-o", "x"], "gone.mha: "),
        (["predict", "--model", "gone", "--pa", "x.png"], "gone/settings.json: no trained run here"),
        (["score", "gone.mha", "gone.mha"], "gone.mha: "),
        (["profile"], "give either --settings or --run"),
        (["profile", "--settings", "[" * 100_000], "settings are no JSON"),
        (["fetch", "a", "--source", "moon", "--sheet", "s.tsv", "-o", "x"], "--source moon: scans are fetched from"),
    ],
)
@pytest.mark.slow
def test_a_mistake_is_one_line_on_stderr(words: list[str], problem: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dx2ct", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ") and problem in line
    assert list(tmp_path.iterdir()) == []
