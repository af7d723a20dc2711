"""Run the real workflow in a folder of its own."""

from pathlib import Path
import re
import subprocess
import sys
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "workflow/config/smoke.yaml"


def command(folder: Path, *arguments: str, config: dict[str, Any] | None = None, base: Path = SMOKE) -> list[str]:
    """The command line of a run in `folder` with the configuration `base` and `config` over it."""
    files = [str(base)]
    if config is not None:
        (folder / "changed.yaml").write_text(yaml.safe_dump(config))
        files.append(str(folder / "changed.yaml"))
    line = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [*line, *arguments, "--configfile", *files]


def run(
    folder: Path, *arguments: str, config: dict[str, Any] | None = None, base: Path = SMOKE
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end; stderr is in stdout."""
    line = command(folder, *arguments, config=config, base=base)
    return subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


def jobs(text: str) -> dict[str, int]:
    """The job table of a run: how many jobs of each rule (without `all`)."""
    table = re.search(r"^job +count\n[- ]+\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
    rows = [line.split() for line in table.group(1).splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule != "all"}
