"""A temporary copy of the project, to be changed as a person would change it, and run."""

import difflib
import os
from pathlib import Path
import shutil
import subprocess
import sys

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("drr", "dx2ct", "workflow", "rules", "profiles", "Snakefile", "config.yaml", "environment.yml")


class Copy:
    """The project's code and workflow in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / name, folder / name)

    def write(self, name: str, text: str) -> None:
        """Add a file, or replace one."""
        (self.root / name).write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add text at the end of a file."""
        with (self.root / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def insert(self, name: str, before: str, line: str) -> None:
        """Add one line to a file, above the only line that begins with `before`."""
        lines = (self.root / name).read_text(encoding="utf-8").splitlines()
        (place,) = [number for number, text in enumerate(lines) if text.startswith(before)]
        self.write(name, "\n".join([*lines[:place], line, *lines[place:]]) + "\n")

    def replace(self, name: str, old: str, new: str) -> None:
        """Change the only place of a file that reads so."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def changes(self) -> tuple[list[str], dict[str, int]]:
        """Files that the project does not have, and of its own how many lines of the copy are new."""
        added, changed = [], {}
        for path in sorted(path for part in PARTS for path in _files(self.root / part)):
            name = str(path.relative_to(self.root))
            if not (ROOT / name).exists():
                added.append(name)
            elif path.read_bytes() != (ROOT / name).read_bytes():
                old, new = ((root / name).read_text(encoding="utf-8").splitlines() for root in (ROOT, self.root))
                changed[name] = sum(line.startswith("+ ") for line in difflib.ndiff(old, new))
        return added, changed

    def run(self, *line: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """`python -m LINE` with the copy's code, on one thread; a failure shows what it wrote."""
        environment = os.environ | {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-m", *map(str, line)]
        done = subprocess.run(words, cwd=cwd or self.root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done


def _files(part: Path) -> list[Path]:
    """A file itself, or all below a folder that are no leftovers of a run."""
    found = part.rglob("*") if part.is_dir() else [part]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]
