"""How a command of a page is treated: run, planned, or parsed by the parser of its own program."""

import argparse
from collections.abc import Callable
import importlib.util
import os
from pathlib import Path
import re
import shlex
import subprocess
import sys
import tomllib

from dx2ct.planning.resolve import resolve
from tests.commands import COMMANDS, named_in, parsers
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def call(words: list[str], cwd: Path) -> str:
    """What a command writes; it must succeed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, *words[1:]] if words[0] == "python" else words
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def executed(words: list[str], desk: Path) -> None:
    """Run at the desk; a reconstruction in one step, however many the page says."""
    names = {"TRUTH": "TRUTH.nii.gz", "PREDICTION": "PREDICTION.nii.gz", "CT": "ct.nii.gz"}
    words = [names.get(word, word) for word in words]
    if "predict" in words and "--model" in words:  # the model that is there without a name does not sample
        words += ["--steps", "1", *(["--consistency", "1"] if "--consistency" in words else [])]  # the last one counts
    words += ["--force"] if "cohort" in words else []  # a page may make its sheet twice
    call(words, desk)


def planned(words: list[str], desk: Path) -> None:
    """A dry run. The paper's experiment is planned for the ten patients of pilot.yaml, one's own for two CTs."""
    if "mine/config.yaml" in words and not (desk / "mine").is_dir():
        call(["python", "-m", "dx2ct", "cohort", "FOLDER", "-o", "mine", "--test", "0.5"], desk)
    if "external/config.yaml" in words:
        call(["python", "-m", "dx2ct", "cohort", "FOLDER", "-o", "external", "--test", "1", "--force"], desk)
        for run in resolve([ROOT / "config.yaml"], ROOT).config.report:
            (desk / "external/results" / run).mkdir(parents=True, exist_ok=True)
            for name in ("weights.safetensors", "settings.json"):
                (desk / "external/results" / run / name).touch()
    if "workflow/config/paper.yaml" in words and "workflow/config/pilot.yaml" not in words:
        words.insert(words.index("workflow/config/paper.yaml") + 1, "workflow/config/pilot.yaml")
    words = [word.replace("RUN", "dx2ct") for word in words if word != "..."]
    if "profiles/slurm" in words:  # names an executor that is not installed everywhere
        at = words.index("--workflow-profile")
        del words[at : at + 2]
    folder = [] if "--directory" in words else ["--directory", str(desk / "planned")]
    call(["python", "-m", *words, "--snakefile", str(ROOT / "Snakefile"), *folder, "--dry-run"], desk)


def allocated(words: list[str], desk: Path) -> None:
    """`srun OPTIONS snakemake ...`: what runs in the allocation."""
    planned(words[words.index("snakemake") :], desk)


def parsed(words: list[str], desk: Path) -> None:
    """`python -m dx2ct NAME ...`: by typer, every option's type too; where the page breaks off, its names alone."""
    name, arguments = named_in(words[words.index("dx2ct") + 1 :])
    if "..." in arguments:
        named(words)
    else:
        COMMANDS[name].make_context(name, arguments)


def named(words: list[str]) -> None:
    """A command named in passing: it and its options exist."""
    name, arguments = named_in(words[words.index("dx2ct") + 1 :])
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    assert {word for word in arguments if word.startswith("-")} <= known


def parsed_by_torchrun(words: list[str], desk: Path) -> None:
    """torchrun's own parser takes its options, ours the rest."""
    from torch.distributed.run import parse_args

    options = parse_args(words[1:])  # type: ignore[no-untyped-call]
    assert options.training_script == "dx2ct" and options.module
    parsed(["python", "-m", "dx2ct", *options.training_script_args], desk)


def made(words: list[str], desk: Path) -> None:
    """A target of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", text, re.MULTILINE) for target in words[1:] if "=" not in target)


def installed(words: list[str], desk: Path) -> None:
    """`pip install -e ".[EXTRA]"`, `pip install "dx2ct[EXTRA]"`: an extra of the project; or from where it is."""
    what = words[-1].removeprefix(".").removeprefix("dx2ct")
    extra = re.fullmatch(r"\[([\w-]+)\]", what)
    assert extra[1] in PROJECT["project"]["optional-dependencies"] if extra else what.startswith(" @ git+https://")


def as_module(words: list[str], desk: Path) -> None:
    """`dx2ct ...` and `drr ...` are `python -m dx2ct ...` and `python -m drr ...`."""
    assert words[0] in PROJECT["project"]["scripts"]
    line = ["python", "-m", *words]
    treatment_of(shlex.join(line))(line, desk)


def is_there(words: list[str], desk: Path) -> None:
    """A script or module of the project, whose text knows the options that are given."""
    words = words if words[0] == "python" else ["sh", *words]
    name = words[2] if words[1] == "-m" else words[1]
    path = ROOT / name if words[1] != "-m" else Path(importlib.util.find_spec(name).origin)  # type: ignore[union-attr, arg-type]
    text = path.read_text(encoding="utf-8")
    assert path.is_relative_to(ROOT) and all(
        word in text for word in words[2:] if re.match(r"-\w|--\w", word) and word != "-m"
    )


def marked(words: list[str], desk: Path) -> None:
    """`pytest -m MARKER`: a marker of the project."""
    markers = [line.split(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]]
    assert words[1] == "-m" and words[2] in markers


def ray_caster(words: list[str], desk: Path) -> None:
    """`python -m drr ...` named in passing: by its own parser."""
    names = [name for name in words[3:] if name != "|"]
    if not set(names) <= set(parsers()):
        parsers()[names[0]].parse_args(names[1:])


def several(words: list[str], desk: Path) -> None:
    """`python -m dx2ct a | b --help`: commands that exist."""
    assert {word for word in words[3:] if word not in ("|", "--help")} <= set(COMMANDS)


def tensorboard(words: list[str], desk: Path) -> None:
    """By its own parser."""
    from tensorboard.plugins.core.core_plugin import CorePluginLoader  # type: ignore[import-untyped]

    parser = argparse.ArgumentParser()
    CorePluginLoader().define_flags(parser)
    parser.parse_args(words[1:])


Treatment = Callable[[list[str], Path], None]
TREATMENTS: list[tuple[str, Treatment]] = [  # the first that matches a command
    (r"make \w+.*", made),
    (r"pip install .*", installed),
    (r"pytest .*", marked),
    (r"tensorboard .*", tensorboard),
    (r"torchrun .*", parsed_by_torchrun),
    (r"snakemake .*", planned),
    (r"srun .* snakemake .*", allocated),
    (r"python -m drr .* [.\w]+ .*", executed),
    (r"python -m drr.*", ray_caster),
    (r"python -m dx2ct .*'?\|'? .*", several),
    (r"python -m dx2ct (cohort|config|score|volume|predict) .*|python -m dx2ct benchmark table", executed),
    (r"python -m dx2ct .*", parsed),
    (r"(dx2ct|drr) .*", as_module),
    (r"(python (-m )?)?(bench|docs|tests|workflow|dx2ct)[./].*", is_there),
]


def treatment_of(command: str) -> Treatment:
    found = [treatment for pattern, treatment in TREATMENTS if re.fullmatch(pattern, command)]
    assert found, f"{command}: tests/test_docs.py does not know how to treat it"
    return found[0]


def options_of_snakemake(words: list[str]) -> None:
    """By Snakemake's own parser, which refuses what it does not know."""
    from snakemake.cli import get_argument_parser  # type: ignore[import-untyped]

    options = get_argument_parser().parse_args([word for word in words[1:] if word != "..."])
    targets = [str(path) for path in options.configfile or [] if path.suffix not in (".yaml", ".yml", ".json")]
    assert not targets, f"{targets} would be read as configuration files: targets stand before --configfile"
