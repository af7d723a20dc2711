"""Every command and every block of README.md, CONTRIBUTING.md and docs/ is what a person would paste: it is run here.

What takes long or leaves this machine is planned or parsed by its own program's parser, so that a renamed option fails.
TREATMENTS says how each command is treated; one that nothing there treats fails.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
import importlib.util
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import typer
import yaml

from drr.volume import Volume
from dx2ct.cli import app
from dx2ct.config import plain
from dx2ct.planning.resolve import MOVED, resolve
from tests.conftest import ROOT
from tests.fabricate.scans import body
from tests.fabricate.xray_files import lateral, pa, write_dicom
from tests.test_command_line import parsers

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PROGRAMS = ("snakemake", "python", "pytest", "make", "torchrun", "tensorboard", "pip")
SLOW_PAGE = "docs/drr.md"  # whose blocks belong together: tests/drr/test_docs.py runs it from top to bottom


@dataclass(frozen=True)
class Piece:
    """A block of a page, or a command between backticks; line: where it stands."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Piece]:
    """Every fenced block."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            found.append(Piece(str(page.relative_to(ROOT)), line, match[1], match[2]))
    return found


def commands() -> list[Piece]:
    """Every line of every block that is no Python and no YAML, without its comment."""
    found = []
    for block in blocks():
        if block.page != SLOW_PAGE and not block.language and not is_yaml(block.text):
            for number, line in enumerate(block.text.splitlines(), start=1):
                if words := shlex.split(line, comments=True):
                    found.append(Piece(block.page, block.line + number, "", shlex.join(words)))
    return found


def inline() -> list[Piece]:
    """Commands between backticks, as a sentence names them."""
    found = []
    for page in PAGES:
        text = re.sub(
            r"^```.*?^```",
            lambda block: "\n" * block[0].count("\n"),
            page.read_text(encoding="utf-8"),
            flags=re.M | re.S,
        )
        for match in re.finditer(r"`([^`\n]+)`", text):
            if match[1].split()[0] in PROGRAMS and len(match[1].split()) > 1:
                line = text[: match.start()].count("\n") + 1
                found.append(Piece(str(page.relative_to(ROOT)), line, "", match[1]))
    return found


def is_yaml(text: str) -> bool:
    """A part of a configuration."""
    return re.match(r"(# .*\n)*\w+:( |\n)", text) is not None


# ---- the desk at which a person sits


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages speak of: X-rays, CTs, a trained run, the project's own files."""
    desk = tmp_path_factory.mktemp("desk")
    for name in ("examples", "workflow", "config.yaml", "docs", "all"):
        (desk / name).symlink_to(ROOT / name)
    (desk / "results").mkdir()
    shutil.copytree(ROOT / "tests/fixtures/format1/dx2ct", desk / "results/dx2ct")  # small, as no run of the demo is
    write_dicom(desk / "pa.dcm", (pa() * 4000).astype(np.uint16))
    import cv2

    cv2.imwrite(str(desk / "lateral.png"), (lateral() * 60000).astype(np.uint16))
    hu = np.kron(body(0), np.ones((1, 2, 2), np.int16))
    for name in ("TRUTH.nii.gz", "PREDICTION.nii.gz", "ct.nii.gz", "FOLDER/one.nii.gz", "FOLDER/two.nii.gz"):
        Volume(hu, (4.0, 4.0, 8.0), (0.0, 0.0, 0.0)).write(desk / name)
    return desk


def call(words: list[str], cwd: Path) -> str:
    """What a command writes; it must succeed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, *words[1:]] if words[0] == "python" else words
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# ---- how commands are treated


def executed(words: list[str], desk: Path) -> None:
    """Run at the desk; a reconstruction in one step, however many the page says."""
    names = {"TRUTH": "TRUTH.nii.gz", "PREDICTION": "PREDICTION.nii.gz", "CT": "ct.nii.gz"}
    words = [names.get(word, word) for word in words]
    if "predict" in words:
        words += ["--steps", "1", *(["--consistency", "1"] if "--consistency" in words else [])]  # the last one counts
    call(words, desk)


def planned(words: list[str], desk: Path) -> None:
    """A dry run. The paper's experiment is planned for the ten patients of pilot.yaml, one's own for two CTs."""
    if "mine/config.yaml" in words and not (desk / "mine").is_dir():
        call(["python", "-m", "dx2ct", "cohort", "FOLDER", "-o", "mine", "--test", "0.5"], desk)
    if "workflow/config/paper.yaml" in words and "workflow/config/pilot.yaml" not in words:
        words.insert(words.index("workflow/config/paper.yaml") + 1, "workflow/config/pilot.yaml")
    words = [word.replace("RUN", "dx2ct") for word in words if word != "..."]
    folder = [] if "--directory" in words else ["--directory", str(desk / "planned")]
    call(["python", "-m", *words, "--snakefile", str(ROOT / "Snakefile"), *folder, "--dry-run"], desk)


def parsed(words: list[str], desk: Path) -> None:
    """`python -m dx2ct NAME ...`: by typer, every option's type too; where the page breaks off, its names alone."""
    name, *arguments = words[words.index("dx2ct") + 1 :]
    if "..." in arguments:
        named(words)
    else:
        COMMANDS[name].make_context(name, arguments)


def named(words: list[str]) -> None:
    """A command named in passing: it and its options exist."""
    name, *arguments = words[words.index("dx2ct") + 1 :]
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    assert {word for word in arguments if word.startswith("-")} <= known


def parsed_by_torchrun(words: list[str], desk: Path) -> None:
    """torchrun's own parser takes its options, ours the rest."""
    from torch.distributed.run import parse_args

    options = parse_args(words[1:])
    assert options.training_script == "dx2ct" and options.module
    parsed(["python", "-m", "dx2ct", *options.training_script_args], desk)


def made(words: list[str], desk: Path) -> None:
    """A target of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", text, re.MULTILINE) for target in words[1:] if "=" not in target)


def installed(words: list[str], desk: Path) -> None:
    """`pip install -e ".[EXTRA]"`: an extra of the project."""
    assert words[1:3] == ["install", "-e"]
    assert re.fullmatch(r"\.\[([\w-]+)\]", words[3])[1] in PROJECT["project"]["optional-dependencies"]  # type: ignore[index]


def is_there(words: list[str], desk: Path) -> None:
    """A script or module of the project, whose text knows the options that are given."""
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
    from tensorboard.plugins.core.core_plugin import CorePluginLoader

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
    (r"python -m drr .* [.\w]+ .*", executed),
    (r"python -m drr.*", ray_caster),
    (r"python -m dx2ct .*'?\|'? .*", several),
    (r"python -m dx2ct (cohort|config|score|volume|predict) .*", executed),
    (r"python -m dx2ct .*", parsed),
    (r"python (-m )?(bench|docs|tests|workflow|dx2ct)[./].*", is_there),
]


def treatment_of(command: str) -> Treatment:
    found = [treatment for pattern, treatment in TREATMENTS if re.fullmatch(pattern, command)]
    assert found, f"{command}: tests/test_docs.py does not know how to treat it"
    return found[0]


def options_of_snakemake(words: list[str]) -> None:
    """By Snakemake's own parser, which refuses what it does not know."""
    from snakemake.cli import get_argument_parser

    get_argument_parser().parse_args([word for word in words[1:] if word != "..."])


@pytest.mark.slow
@pytest.mark.parametrize("piece", commands(), ids=str)
def test_a_command_of_a_block_works(piece: Piece, desk: Path) -> None:
    treatment_of(piece.text)(shlex.split(piece.text), desk)


@pytest.mark.parametrize("piece", [*inline(), *commands()], ids=lambda piece: f"{piece}-{piece.text[:30]}")
def test_a_command_has_options_that_exist(piece: Piece) -> None:
    """Also of those between backticks; nothing runs."""
    words, treatment = shlex.split(piece.text), treatment_of(piece.text)
    if treatment is planned:
        options_of_snakemake(words)
    elif treatment is executed and words[2] == "drr":
        ray_caster(words, ROOT)
    elif treatment in (executed, parsed):
        named(words)
    else:
        treatment(words, ROOT)


def test_every_block_is_treated() -> None:
    """Python stands on the page that runs as a whole; the rest is commands or parts of a configuration."""
    for block in blocks():
        if block.page == SLOW_PAGE:
            assert block.language in ("", "python"), f"{block}: tests/drr/test_docs.py runs Python and commands"
        else:
            assert block.language in ("", "python", "yaml"), f"{block}: language {block.language}"
    assert "docs/drr.md" in (ROOT / "tests/drr/test_docs.py").read_text(encoding="utf-8")
    assert len(commands()) > 15 and len(inline()) > 15


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.page != SLOW_PAGE and is_yaml(block.text)], ids=str
)
def test_a_part_of_a_configuration_resolves(block: Piece, tmp_path: Path) -> None:
    """Over the demo."""
    (tmp_path / "part.yaml").write_text("base: config.yaml\n" + block.text, encoding="utf-8")
    assert yaml.safe_load(block.text)
    resolve([tmp_path / "part.yaml"], ROOT)


@pytest.mark.slow
def test_python_runs_wherever_it_stands(desk: Path) -> None:
    """Blocks of every other page, and calls between backticks, in one step."""
    for block in blocks():
        if block.page != SLOW_PAGE and block.language == "python":
            call(["python", "-c", block.text], desk)
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    calls = set(re.findall(r"`(dx2ct\.load\([^`]*)\)`", text))
    assert calls, "README.md shows one"
    for code in calls:
        prepared = "import dx2ct, numpy; array = numpy.mgrid[:200, :200][0]"
        call(["python", "-c", f"{prepared}; print({code}, steps=1))"], desk)


def test_keys_that_are_named_exist() -> None:
    """Dotted names between backticks that begin with a section of the configuration, in whole."""
    resolved = plain(resolve([ROOT / "config.yaml"], ROOT).config)
    known = {".".join(path) for path in paths(resolved)}
    for page in PAGES:
        for name in re.findall(r"`([a-z_]+(?:\.[a-z0-9_]+)+)(?::[^`]*)?`", page.read_text(encoding="utf-8")):
            head, ending = name.split(".")[0], name.rsplit(".", 1)[-1]
            if ending in ("csv", "png", "html", "tsv", "json", "yaml", "md", "py"):
                continue
            assert head not in MOVED, f"{page.name}: {name} is {MOVED[head]}... now"
            assert head not in resolved or name in known, f"{page.name}: {name} is no key"


def paths(values: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All keys at any depth."""
    inner = values.items() if isinstance(values, dict) else ()
    return [path, *(found for key, value in inner for found in paths(value, (*path, key)))]


def test_what_the_pages_name_exists() -> None:
    """Links, and paths between backticks from the project's folder."""
    places = "dx2ct|drr|tests|bench|rules|workflow|docs|examples|profiles"
    for page in PAGES:
        for path in re.findall(rf"`((?:{places})/[\w./-]+)`", page.read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
        for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
