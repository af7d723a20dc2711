"""Every command and every block of README.md, CONTRIBUTING.md and docs/ is what a person would paste: it is run here.

What takes long or leaves this machine is planned or parsed by its own program's parser, so that a renamed option fails.
TREATMENTS (tests/docs) says how each command is treated; one that nothing there treats fails.
"""

from pathlib import Path
import re
import shlex
import shutil
import tomllib

import cv2
import numpy as np
import pytest
import yaml

from drr.volume import Volume
from dx2ct.config import plain
from dx2ct.planning.resolve import MOVED, resolve
from tests.conftest import ROOT
from tests.docs.pages import blocks, commands, inline, is_yaml, PAGES, Piece, SHELL, SLOW_PAGE
from tests.docs.treatments import call, executed, named, options_of_snakemake, parsed, planned, ray_caster, treatment_of
from tests.fabricate.datasets import ct_rate, luna16
from tests.fabricate.scans import body
from tests.fabricate.xray_files import lateral, pa, write_dicom


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages speak of: X-rays, CTs, a trained run, the project's own files."""
    desk = tmp_path_factory.mktemp("desk")
    for name in ("examples", "workflow", "config.yaml", "docs", "all"):
        (desk / name).symlink_to(ROOT / name)
    (desk / "results").mkdir()
    shutil.copytree(ROOT / "tests/fixtures/format1/dx2ct", desk / "results/dx2ct")  # small, as no run of the demo is
    write_dicom(desk / "pa.dcm", (pa() * 4000).astype(np.uint16))
    cv2.imwrite(str(desk / "lateral.png"), (lateral() * 60000).astype(np.uint16))
    (desk / "films.tsv").write_text("name\tpa\tlateral\nanna\tpa.dcm\tlateral.png\n")
    hu = np.kron(body(0), np.ones((1, 2, 2), np.int16))
    for name in ("TRUTH.nii.gz", "PREDICTION.nii.gz", "ct.nii.gz", "FOLDER/one.nii.gz", "FOLDER/two.nii.gz"):
        Volume(hu, (4.0, 4.0, 8.0), (0.0, 0.0, 0.0)).write(desk / name)
    (desk / "scans.csv").write_text("file,patient\nFOLDER/one.nii.gz,A\nFOLDER/two.nii.gz,B\n")
    luna16(desk / "LUNA16", {0: ["LIDC-IDRI-0001"], 1: ["LIDC-IDRI-0002"]})
    ct_rate(desk / "CT-RATE", ["train_1_a_1", "train_2_a_1", "valid_1_a_1"])
    return desk


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
    """Python stands on the page that runs as a whole; the rest is commands or parts of a configuration.

    `text` is for programs that no test has: containers, MONAI.
    """
    for block in blocks():
        if block.page == SLOW_PAGE:
            assert block.language in (*SHELL, "python"), f"{block}: tests/drr/test_docs.py runs Python and commands"
        else:
            assert block.language in (*SHELL, "python", "yaml", "toml", "text"), f"{block}: language {block.language}"
            assert block.language != "toml" or tomllib.loads(block.text)
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
