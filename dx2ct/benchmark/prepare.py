"""The scans of the benchmark, made by the workflow in a folder: the same rules as for any other cohort."""

from collections.abc import Sequence
import os
from pathlib import Path
import subprocess
import sys
import time

from drr.errors import InputError
from drr.progress import bar
from dx2ct.layout import LOGS, ROOT

LOG = LOGS / "benchmark.log"
POLL_S = 1.0


def make(folder: Path, config: Path, targets: Sequence[str], cores: int) -> None:
    """Run the workflow in `folder` until the targets are there; what is there already is kept.

    targets: paths as seen from the folder. cores: 0 = all. InputError where a job failed, with its own line.
    """
    folder = folder.resolve()
    log = folder / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(ROOT / "Snakefile")]
    line += ["--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(folder)]
    line += ["--cores", str(cores or "all"), "--configfile", str(config.resolve())]
    with log.open("w", encoding="utf-8") as output:
        done = _watched(subprocess.Popen(line, stdout=output, stderr=subprocess.STDOUT, cwd=folder), folder, targets)
    if done:
        raise InputError(f"{log}: the workflow failed{_reason(log)}: mend it and run the same command again")


def _watched(process: "subprocess.Popen[bytes]", folder: Path, targets: Sequence[str]) -> int:
    """Wait for the end under a bar of the targets that are there; the exit code."""
    try:
        with bar("scans", "file", len(targets)) as shown:
            while (code := process.poll()) is None:
                shown.update(sum(map(os.path.exists, (folder / one for one in targets))) - shown.n)
                time.sleep(POLL_S)
            shown.update(len(targets) - shown.n if code == 0 else 0)
        return code
    finally:  # of a person who stops waiting: Snakemake ends after the jobs that run
        if process.poll() is None:
            process.terminate()
            process.wait()


def _reason(log: Path) -> str:
    """The first line of an error in the log, in brackets."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = next((line.strip() for line in lines if line.strip().startswith("error: ")), "")
    return f" ({found.removeprefix('error: ')})" if found else ""
