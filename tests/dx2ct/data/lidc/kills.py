"""Kill a download of four series again and again: python -m tests.dx2ct.data.lidc.kills [KILLS] [FOLDER] [SEED]

FOLDER: real scans as in DX2CT_REAL_DATA; without it small series are made up. The end state must be that of an
undisturbed run, byte by byte, and no verified file may be fetched twice.
"""

from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from tests.dx2ct.data.lidc.archive import Archive, archive, Served
from tests.dx2ct.data.lidc.harness import arguments, manifest, real, source, synthetic

ROOT = Path(__file__).resolve().parents[4]
REAL = {"LIDC-IDRI-0001": 40, "C3N-00247": 40, "Lung_Dx-A0001": 40, "Lung_Dx-A0002": 30}


class Moment(NamedTuple):
    """A kill: seconds after the first request, and how many files were verified then."""

    seconds: float
    verified: int


CHILD = """
import json, sys
from dx2ct.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["dx2ct", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


@dataclass
class Work:
    """A download of several series into one folder, one after the other in one process."""

    series: list[Served]
    manifest: Path
    raw: Path
    server: Archive

    def output(self, one: Served) -> Path:
        return self.raw / f"scan-{self.series.index(one)}.zip"

    def start(self) -> "subprocess.Popen[bytes]":
        """The running process, after its first request: a kill while Python starts says nothing."""
        before = len(self.server.asked)
        sources = [source("idc", self.server.url)]
        patience = {"read_timeout_s": 20, "connect_timeout_s": 20}
        words = [arguments(one, self.manifest, self.output(one), sources, **patience) for one in self.series]
        command = [sys.executable, "-c", CHILD, json.dumps(words)]
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE)
        while len(self.server.asked) == before and process.poll() is None:
            time.sleep(0.002)
        return process

    def finish(self) -> float:
        """Run to the end; seconds from the first request."""
        process = self.start()
        start = time.monotonic()
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr.decode()
        return time.monotonic() - start

    def verified(self) -> set[str]:
        """Addresses of files that are staged or packed."""
        found = set()
        for one in self.series:
            hashed = {hashlib.sha256(f"{one.uuid}/{name}".encode()).hexdigest()[:32]: name for name in one.files}
            staged = self.raw.glob(f".{self.output(one).stem}.download/*.dcm")
            names = set(one.files) if self.output(one).exists() else {hashed[path.name[:32]] for path in staged}
            found |= {f"/bucket/{one.uuid}/{name}" for name in names}
        return found

    def state(self) -> dict[str, bytes]:
        """Every file of the target folder, without the one line of a receipt that tells the time."""
        files = sorted(path for path in self.raw.rglob("*") if path.is_file())
        return {str(path.relative_to(self.raw)): without_time(path) for path in files}


def without_time(path: Path) -> bytes:
    content = path.read_bytes()
    return re.sub(rb'"fetched": "[^"]*"', b"", content) if path.suffix == ".json" else content


def check(work: Work, reference: dict[str, bytes]) -> None:
    """What is at a target is whole at every moment."""
    for name, content in work.state().items():
        if not name.startswith("."):
            assert content == reference[name], name


def disturbed(work: Work, reference: dict[str, bytes], kills: int, seconds: float, seed: int) -> list[Moment]:
    """Kill so often, restart each time, then run to the end; seconds: how long an undisturbed run takes."""
    chance, moments, verified = random.Random(seed), list[Moment](), set[str]()
    files = sum(len(one.files) for one in work.series)
    before = len(work.server.asked)
    for left in range(kills, 0, -1):
        begun = len(work.server.asked)
        process = work.start()
        # spread over what is left to do
        moment = chance.uniform(0, 2 * seconds * (1 - len(verified) / files) / (left + 1))
        time.sleep(moment)
        if process.poll() is not None:  # faster than the undisturbed run was
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.05)  # an answer that was under way
        check(work, reference)
        require_nothing_again(work, verified, begun)
        verified = work.verified()
        moments.append(Moment(moment, len(verified)))
    begun = len(work.server.asked)
    work.finish()
    require_nothing_again(work, verified, begun)
    assert work.state() == reference
    asked = [path for path in work.server.asked[before:] if path.endswith(".dcm")]
    assert len(asked) <= files + kills  # each kill can cost the one file that was under way
    return moments


def require_nothing_again(work: Work, verified: set[str], begun: int) -> None:
    again = verified & set(work.server.asked[begun:])
    assert not again, f"fetched again: {again}"


def run(series: list[Served], folder: Path, kills: int, seed: int, pace_s: float) -> list[Moment]:
    """The undisturbed run, then the disturbed one, against one server."""
    table = manifest(folder / "manifest.tsv", *series)
    with archive(*series, pace_s=pace_s, page=1000, most_requests=20_000, most_seconds=600) as server:
        calm = Work(series, table, folder / "calm", server)
        seconds = calm.finish()
        return disturbed(Work(series, table, folder / "killed", server), calm.state(), kills, seconds, seed)


def main(kills: int, data: Path | None, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if data is None:
            series = [synthetic(folder / "series", 40, str(i)) for i in range(4)]
        else:
            series = [real(data, slices, scan) for scan, slices in REAL.items()]
        moments = run(series, folder, kills, seed, pace_s=0.01)
    size = sum(one.size for one in series) / 1e6
    print(f"{len(series)} series, {sum(len(one.files) for one in series)} files, {size:.1f} MB, seed {seed}")
    print("kill: seconds after the first request, verified files then")
    for number, (moment, verified) in enumerate(moments, start=1):
        print(f"{number:4} {moment:8.3f} {verified:6}")
    print("end state byte-identical to the undisturbed run; no verified file was asked for again")


if __name__ == "__main__":
    kills, data, seed = [*sys.argv[1:], *[None] * 3][:3]
    main(int(kills or 30), Path(data) if data else None, int(seed or 0))
