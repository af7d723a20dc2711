"""The whole command, start-up and files included, beside two calls of plastimatch; and its memory."""

import os
from pathlib import Path
import subprocess
import sys

from bench.raycaster.common import Bench, ROOT, seconds, spread
from bench.raycaster.scaling import resampled

# A process of its own, small, starts what is measured: the peak of a child counts from the memory of who started it.
_PEAK = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
_PEAK += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def run(bench: Bench) -> None:
    if bench.peers and (program := bench.peers.parent / "plastimatch").exists():
        _against(bench, program)
    else:
        print("plastimatch left out: no such program beside --peers")
    resampled(bench.volume, 512).write(bench.folder / "large.mha")
    command = [sys.executable, "-c", _PEAK, *_own(bench, bench.folder / "large.mha")]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    print(f"\nPeak memory of the command on 512 cubed: {int(done.stdout) / 1e6:.2f} GB.")


def _against(bench: Bench, program: Path) -> None:
    own, others, environment = _own(bench, bench.ct), _plastimatch(bench, program), dict(os.environ)
    environment["OMP_NUM_THREADS"] = str(bench.threads)

    def call(*commands: list[str]) -> float:
        def run_all() -> None:
            for command in commands:
                subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

        return seconds(run_all)

    pairs = [(call(own), call(*others)) for _ in range(bench.rounds + 1)][1:]  # the first one warms up
    ours, theirs = zip(*pairs, strict=True)
    print(
        f"`python -m drr render ct.mha -o out --view pa lateral`: {spread(ours)} s; two calls of plastimatch: ", end=""
    )
    print(f"{spread(theirs)} s; ours / theirs: {spread([a / b for a, b in pairs])} ({len(pairs)} pairs).")


def _own(bench: Bench, ct: Path) -> list[str]:
    words = [sys.executable, "-m", "drr", "render", str(ct), "-o", str(bench.folder / "out"), "--view", "pa", "lateral"]
    return [*words, "--backend", "cpu", "--threads", str(bench.threads)]


def _plastimatch(bench: Bench, program: Path) -> list[list[str]]:
    same = ["drr", "-i", "exact", "-t", "pfm", "--sad", "541", "--sid", "949", "-r", "320 320", "-z", "500 500"]
    same += ["-o", "{} {} {}".format(*bench.volume.centre_mm)]
    return [
        [str(program), *same, "--nrm", normal, "-O", str(bench.folder / f"out/{name}"), str(bench.ct)]
        for name, normal in (("p", "0 1 0"), ("l", "1 0 0"))
    ]
