"""The pages as pieces: fenced blocks, their commands, and commands between backticks."""

from dataclasses import dataclass
import re
import shlex

from tests.conftest import ROOT

DERIVED = ROOT / "docs/commands.md"  # shows how commands are called, with none of a person's files
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {DERIVED})]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("snakemake", "python", "pytest", "make", "torchrun", "tensorboard", "pip")
SHELL = ("", "sh", "bash")
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
    """Every fenced block but the site's own directives, as ```{toctree}."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text[: match.start()].count("\n") + 1
            if not match[1].startswith("{"):
                found.append(Piece(str(page.relative_to(ROOT)), line, match[1], match[2]))
    return found


def commands() -> list[Piece]:
    """Every line of every block that is no Python and no YAML, without its comment."""
    found = []
    for block in blocks():
        if block.page != SLOW_PAGE and block.language in SHELL and not is_yaml(block.text):
            for number, line in enumerate(block.text.splitlines(), start=1):
                if words := shlex.split(line, comments=True):
                    found.append(Piece(block.page, block.line + number, "", shlex.join(words)))
    return found


def inline() -> list[Piece]:
    """Commands between backticks, as a sentence names them."""
    found = []
    for page in PAGES:
        text = FENCE.sub(lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"))
        for match in re.finditer(r"`([^`\n]+)`", text):
            if match[1].split()[0] in PROGRAMS and len(match[1].split()) > 1:
                line = text[: match.start()].count("\n") + 1
                found.append(Piece(str(page.relative_to(ROOT)), line, "", match[1]))
    return found


def is_yaml(text: str) -> bool:
    """A part of a configuration."""
    return re.match(r"(# .*\n)*\w+:( |\n)", text) is not None
