"""What pyproject.toml cannot say: the wheel carries the workflow of this folder as dx2ct/project/.

The tree holds each file once. In a clone `dx2ct.layout.ROOT` is the clone; of a wheel it is this folder.
"""

from pathlib import Path
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py

PARTS = ("Snakefile", "config.yaml", "environment.yml", "rules", "workflow", "profiles", "examples")
ROWS = ("bench/ranking_scores.csv", "bench/submitted")  # what `dx2ct benchmark` compares with


class WithProject(build_py):
    """Copies PARTS and ROWS beside the package's modules; an editable installation finds them where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            project = Path(self.build_lib) / "dx2ct" / "project"
            shutil.rmtree(project, ignore_errors=True)  # what an earlier build left in build/
            for part in (*PARTS, *ROWS):
                _copy(Path(part), project / part)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


setup(cmdclass={"build_py": WithProject})
