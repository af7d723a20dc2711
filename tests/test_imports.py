"""Who may import whom (CONTRIBUTING.md): read from the source, so that a forbidden import fails before it runs."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
import re
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[1]


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, by its dotted name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def importers(folder: str, *modules: str) -> Iterator[str]:
    """Files of a folder (or one file) that import one of the modules or something inside."""
    paths = [ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py")
    for path in paths:
        if any(name == module or name.startswith(module + ".") for name in imports(path) for module in modules):
            yield str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("drr", ["torchvision", "dx2ct", "snakemake"]),
        ("dx2ct", ["snakemake"]),
        ("dx2ct/samplers/diffusion.py", ["dx2ct.data", "dx2ct.methods"]),
    ],
)
def test_forbidden_imports(folder: str, forbidden: list[str]) -> None:
    assert list(importers(folder, *forbidden)) == []


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions count, too."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for package in ("drr", "dx2ct")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"  # which hand names on
    }
    graph = {module: imports(path) & paths.keys() for module, path in paths.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_cupy_is_imported_in_one_file_only() -> None:
    assert set(importers("drr", "cupy")) | set(importers("dx2ct", "cupy")) <= {"drr/_cupy.py"}


def test_rules_import_nothing_heavy() -> None:
    """Every cluster job parses them again: the standard library, snakemake, and what itself needs no more than that."""
    light = {"dx2ct.data.cohort.selection", "drr.errors"}
    for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]:
        used = re.findall(r"^\s*(?:from|import)\s+([\w.]+)", path.read_text(), re.MULTILINE)
        assert {name for name in used if name.split(".")[0] not in sys.stdlib_module_names | {"snakemake"}} <= light, (
            path
        )
    code = f"import sys; old = set(sys.modules); import {', '.join(light)}; print(*(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names} == light | {
        *("dx2ct", "dx2ct.data", "dx2ct.data.cohort", "drr")
    }


def test_the_command_line_answers_without_heavy_imports() -> None:
    code = "import sys, dx2ct.cli; print([name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
