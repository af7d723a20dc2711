"""Who may import whom (CONTRIBUTING.md): read from the source, so that a forbidden import fails before it runs."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# From the ground up. A room imports rooms of lower floors alone; those of one floor do not know each other.
FLOORS = (
    {"drr"},
    {"config", "layout", "torchvision_guard"},
    {"data"},
    {"geometry", "training", "samplers", "metrics"},
    {"methods"},
    {"figures", "scoring", "profiling", "style"},
    {"planning", "predict", "report"},
    {"benchmark", "exchange"},
    {"serve"},
    {"cli"},
)
FACES = {"__init__", "__main__"}  # of the package: they hand on what others make
HEAVY = ("torch", "pandas", "SimpleITK", "scipy", "cv2", "matplotlib", "skimage", "snakemake")


def sources(*places: str) -> list[Path]:
    """The Python files below some folders."""
    return [path for place in places for path in sorted((ROOT / place).rglob("*.py"))]


@cache
def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, by its dotted name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def importers(place: str, *modules: str) -> Iterator[str]:
    """Files of a folder that import one of the modules or something inside."""
    for path in sources(place):
        if any(name == module or name.startswith(module + ".") for name in imports(path) for module in modules):
            yield str(path.relative_to(ROOT))


def room(module: str) -> str:
    """drr, or the part of dx2ct that a dotted name lies in; empty for dx2ct itself and what is not ours."""
    first, _, rest = module.partition(".")
    return "drr" if first == "drr" else rest.split(".")[0] if first == "dx2ct" else ""


def dotted(path: Path) -> str:
    """A file as a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_room_has_a_floor() -> None:
    found = {room(dotted(path)) for path in sources("dx2ct", "drr")} - FACES
    assert found == set().union(*FLOORS), "name its floor here and in CONTRIBUTING.md"


@pytest.mark.parametrize("number", range(len(FLOORS)), ids=lambda number: "-".join(sorted(FLOORS[number])))
def test_imports_run_down(number: int) -> None:
    below, ours = set().union(*FLOORS[:number]), set().union(*FLOORS)
    for path in sources("dx2ct", "drr"):
        here = room(dotted(path))
        if here in FLOORS[number]:
            used = {room(module) for module in imports(path)} & ours
            assert used <= below | {here}, f"{path.relative_to(ROOT)} imports {', '.join(used - below - {here})}"


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions count, too."""
    paths = {
        dotted(path): path
        for path in sources("drr", "dx2ct")
        if path.name != "__init__.py"  # which hand names on
    }
    graph = {module: imports(path) & paths.keys() for module, path in paths.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_what_only_one_file_imports() -> None:
    assert list(importers("drr", "torch")) == ["drr/torch.py"]
    assert [*importers("drr", "cupy"), *importers("dx2ct", "cupy")] == ["drr/_cupy.py"]
    assert list(importers("drr", "torchvision", "pandas", "snakemake")) == []
    assert list(importers("dx2ct", "snakemake")) == []


def test_rules_import_layout_and_planning_alone() -> None:
    """Every job of a cluster parses them again."""
    for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]:
        text = path.read_text(encoding="utf-8")
        for module, names in re.findall(r"^\s*(?:from ([\w.]+) )?import (.+)$", text, re.MULTILINE):
            if (module or names).split(".")[0] in sys.stdlib_module_names | {"snakemake"}:
                continue
            assert (module, names) == ("dx2ct", "layout") or module in ("dx2ct.layout", "dx2ct.planning"), path


def loaded(code: str) -> set[str]:
    """What of HEAVY a new interpreter has imported after some code."""
    code += f"; import sys; print(*[name for name in {(*HEAVY, 'numpy', 'pydantic')} if name in sys.modules])"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
        ).stdout.split()
    )


@pytest.mark.parametrize(
    ("code", "light"),
    [
        ("import dx2ct.layout", set()),
        ("import dx2ct.cli", set()),
        ("import dx2ct, drr.errors", set()),
        ("import dx2ct.config", {"numpy", "pydantic"}),
        (
            "from pathlib import Path; from dx2ct.planning import Plan;"
            "plan = Plan([Path('workflow/config/smoke.yaml')], {}, Path('.')); plan.training('dx2ct'); plan.warnings()",
            {"numpy", "pydantic"},
        ),
    ],
)
def test_what_is_light_stays_light(code: str, light: set[str]) -> None:
    assert loaded(code) == light
