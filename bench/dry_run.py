"""How long Snakemake plans a cohort of the size of LIDC-IDRI, and how much memory that takes.

    python bench/dry_run.py [--scans 1018 | --lidc]

Writes a sheet of phantoms (nothing is rendered), plans all of it with `snakemake --dry-run` and prints one line. --lidc
plans the real table instead, with the runs of config.yaml; --lidc --paper with all runs of the paper.
"""

import argparse
import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile
import time

ROOT = Path(__file__).resolve().parents[1]


def write_sheet(path: Path, scans: int) -> None:
    """A sheet of `scans` phantoms, every tenth of them for testing (LIDC-IDRI: 916 and 102)."""
    lines = ["scan\tpatient\tpath\tseries_uid\tsplit\tseed"]
    for i in range(scans):
        lines.append(f"s{i}\tp{i}\tdata/raw/s{i}.zip\t\t{'train' if i % 10 else 'test'}\t{i}")
    path.write_text("\n".join(lines) + "\n")


def configuration(folder: Path, scans: int, lidc: bool, paper: bool) -> Path:
    """The configuration file of what is planned."""
    if paper:
        return ROOT / "workflow/config/paper.yaml"
    cohort = f"source: phantom, sheet: {folder}/sheet.tsv, left_out: null"
    if lidc:
        cohort = "source: lidc, sheet: workflow/resources/lidc-idri.tsv, left_out: null, split: paper"
    write_sheet(folder / "sheet.tsv", scans)
    (folder / "big.yaml").write_text(f"base: config.yaml\ncohort: {{{cohort}}}\n")
    return folder / "big.yaml"


def plan(folder: Path, configfile: Path) -> tuple[int, float, float, float]:
    """Jobs, seconds, CPU seconds and peak MB of a dry run in an empty `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(configfile), "--dry-run"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(text)
    jobs = int(re.findall(r"^total +(\d+)", text, re.MULTILINE)[-1])
    return jobs, time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, default=1018)
    parser.add_argument("--lidc", action="store_true")
    parser.add_argument("--paper", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        chosen = configuration(Path(name), options.scans, options.lidc, options.paper)
        jobs, seconds, cpu_seconds, megabytes = plan(Path(name), chosen)
    print(
        f"{options.scans} scans: {jobs} jobs planned in {seconds:.1f} s, {cpu_seconds:.1f} s of CPU, {megabytes:.0f} MB"
    )
