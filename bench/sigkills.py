"""Does a pipeline that is killed again and again end with the same files as one that is left alone?

    python bench/sigkills.py FOLDER [--kills 30] [--seed 0] [--cores 2]

Runs the smoke configuration in FOLDER/alone. Then runs it in FOLDER/killed, where SIGKILL ends all of its processes at
seeded random moments, spread over the jobs of the pipeline, and lets the last start finish. Prints every file of data/
and results/ that differs or is in one folder alone; exit code 1 where there is one.
"""

import argparse
from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import random
import re
import signal
import subprocess
import sys
import time

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("results/qc.html", "all")
START_S, JOB_S = 12.0, 8.0  # a kill falls within so many seconds of a start, or of the job that it waits for
DONE = re.compile(r"^Finished jobid: ", re.MULTILINE)
JOBS = re.compile(r"^total +(\d+)$", re.MULTILINE)


def without_columns(*names: str) -> Callable[[bytes], bytes]:
    """Of a CSV file whose cells hold no comma: all other columns."""

    def read(content: bytes) -> bytes:
        rows = [line.split(",") for line in content.decode().splitlines()]
        kept = [k for k, name in enumerate(rows[0]) if name not in names]
        return "\n".join(",".join(row[k] for k in kept) for row in rows).encode()

    return read


def without(*patterns: str) -> Callable[[bytes], bytes]:
    """A text without what matches."""
    joined = re.compile("|".join(patterns).encode(), re.DOTALL)
    return lambda content: joined.sub(b"", content)


# What holds times, and what of it is compared nevertheless: the first pattern that matches a path counts.
EXCEPTIONS: list[tuple[str, str, Callable[[bytes], bytes] | None]] = [
    ("results/*/tensorboard/*", "named by time and process, one file for each start of a training", None),
    ("results/*/training.csv", "seconds and speed of the training", without_columns("slices_per_s", "seconds")),
    ("results/*/model_card.md", "seconds and speed of the training", without(r"\| (slices_per_s|seconds) \|[^\n]*")),
    ("results/tables/cost.*", "hours, seconds and memory, as measured", without(r"[\d.]+")),
    (
        "results/*.html",
        "the day it was written, and the table of costs",
        without(r"<time .*?</time>", r"<table>\n<caption>[^<]*cost\..*?</table>"),
    ),
]


def start(folder: Path, cores: int) -> "subprocess.Popen[bytes]":
    """The pipeline in a process group of its own; what it says is added to FOLDER.log."""
    folder.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "snakemake", *TARGETS, "--cores", str(cores), "--directory", str(folder)]
    with log_of(folder).open("ab") as log:
        return subprocess.Popen(
            [*line, "--configfile", "workflow/config/smoke.yaml"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def log_of(folder: Path) -> Path:
    """Where the pipeline of a folder writes what it says."""
    return folder.with_name(f"{folder.name}.log")


def finished(folder: Path) -> int:
    """Jobs done by all starts together."""
    return len(DONE.findall(log_of(folder).read_text(errors="replace")))


def finish(folder: Path, cores: int) -> None:
    """Run to the end; SystemExit where the pipeline fails."""
    if start(folder, cores).wait():
        sys.exit(f"error: {log_of(folder)}: the pipeline failed")


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to all processes of the group, and wait until none is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        end = time.monotonic() + 10  # a machine whose first process reaps nobody keeps the dead in the group
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(0.02)


def run_under_fire(folder: Path, jobs: int, kills: int, seed: int, cores: int) -> int:
    """Kill number k falls some seconds after the k-th part of the jobs is done; how many hit a running pipeline."""
    chance = random.Random(seed)
    hits = 0
    for k in range(kills):
        process, began = start(folder, cores), time.monotonic()
        while finished(folder) < k * jobs / kills and process.poll() is None:
            time.sleep(0.05)
        is_waiting = time.monotonic() - began > START_S
        time.sleep(chance.uniform(0, JOB_S if is_waiting else START_S))
        hits += process.poll() is None
        kill(process)
        print(
            f"kill {k + 1}: {time.monotonic() - began:.1f} s after the start, {finished(folder)} jobs done", flush=True
        )
    return hits


def files(folder: Path) -> dict[str, Path]:
    """Everything below data/ and results/, hidden files and empty folders, too, by its path in the folder."""
    found = [path for place in ("data", "results") for path in (folder / place).rglob("*")]
    return {str(path.relative_to(folder)): path for path in found if path.is_file() or not any(path.iterdir())}


def exception(name: str) -> tuple[str, Callable[[bytes], bytes] | None] | None:
    """Why a file may differ and what of it is compared."""
    return next(((why, read) for pattern, why, read in EXCEPTIONS if Path(name).match(pattern)), None)


def differences(one: Path, other: Path) -> list[str]:
    """A line for each file that differs or is in one of two folders alone."""
    mine, theirs = files(one), files(other)
    lines = []
    for name in sorted(mine.keys() | theirs.keys()):
        why = exception(name)
        read = why[1] if why else bytes
        if read is None:
            continue
        if name not in theirs or name not in mine:
            lines.append(f"{name}: in {(one if name in mine else other).name} alone")
        elif mine[name].is_file() and read(mine[name].read_bytes()) != read(theirs[name].read_bytes()):
            lines.append(f"{name}: differs")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    alone, killed = args.folder.resolve() / "alone", args.folder.resolve() / "killed"
    if killed.exists():
        sys.exit(f"error: {killed}: is there already: name a new folder")
    finish(alone, args.cores)
    jobs = finished(alone)
    hits = run_under_fire(killed, jobs, args.kills, args.seed, args.cores)
    finish(killed, args.cores)
    found = differences(alone, killed)
    compared = files(alone)
    print(*found, sep="\n")
    for pattern, why, read in EXCEPTIONS:
        print(f"not compared{'' if read is None else ' in'}: {pattern}: {why}")
    print(f"{hits} of {args.kills} kills hit; {len(compared)} files, {len(found)} differ or are in one folder alone")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
