"""From a DICOM zip to volume and slices: this project beside the public scripts' way, on the same scans.

    python -m bench.preparation [--rounds 3]

Needs DX2CT_REAL_DATA. Every step is a process, measured from its start to its end, start of Python included; ours are
the two commands that the workflow calls. The two ways take turns, the fastest round of each counts, because the machine
is shared. Writes docs/notes/preparation.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np
import pydicom

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("DX2CT_REAL_DATA", ROOT / "../shared/data")).resolve() / "ct"
SCAN = "LIDC-IDRI-0001.zip"
OTHERS = ["Lung_Dx-A0002.zip", "Lung_Dx-A0001.zip", "C3N-00247.zip"]
# LIDC-IDRI: CT series, their images, images of the largest (index of the Imaging Data Commons, v25).
SERIES, IMAGES, LARGEST = 1018, 243_958, 764
CORES = 8


@dataclass(frozen=True)
class Cost:
    """Of one way to prepare one scan; the memory is that of its largest process."""

    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def cells(self) -> str:
        """As cells of a table."""
        return f"| {self.seconds:.2f} | {self.cpu_seconds:.2f} | {self.peak_mb:.0f} |"


def measure(commands: Sequence[Sequence[str]]) -> Cost:
    """Run commands one after the other."""
    seconds = cpu_seconds = peak_mb = 0.0
    for command in commands:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds += time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"failed: {' '.join(command)}")
        cpu_seconds += usage.ru_utime + usage.ru_stime
        peak_mb = max(peak_mb, usage.ru_maxrss / 1024)
    return Cost(seconds, cpu_seconds, peak_mb)


def ours(scan: Path, folder: Path, interpolation: str) -> list[list[str]]:
    """The commands of rules/data.smk with the numbers of the paper."""
    volume = {"version": 2, "spacing_mm": 1.0, "size": 320, "z_part": "inferior", "interpolation": interpolation}
    settings = json.dumps(volume | {"max_hole_mm": 40.0}), json.dumps({"version": 1, "size": 128})
    cube = str(folder / f"{interpolation}.mha")
    return [
        ["-m", "dx2ct", "volume", str(scan), "--settings", settings[0], "-o", cube],
        ["-m", "dx2ct", "slices", cube, "--settings", settings[1], "-o", str(folder / interpolation)],
    ]


def public(scan: Path, folder: Path) -> list[list[str]]:
    return [["bench/public_preparation.py", str(scan), str(folder / "public")]]


def fastest(costs: Sequence[Cost]) -> Cost:
    return min(costs, key=lambda cost: cost.seconds)


def write_largest(path: Path) -> None:
    """A zip with as many slices as LIDC-IDRI's largest series: those of the one real scan again, 0.45 mm apart."""
    with zipfile.ZipFile(DATA / SCAN) as archive:
        files = [pydicom.dcmread(BytesIO(archive.read(name))) for name in archive.namelist() if name.endswith(".dcm")]
    files.sort(key=lambda file: float(file.ImagePositionPatient[2]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for k in range(LARGEST):
            file = files[k * len(files) // LARGEST]
            file.ImagePositionPatient[2], file.InstanceNumber = round(k * 0.45, 3), k + 1
            buffer = BytesIO()
            file.save_as(buffer)
            archive.writestr(f"{k:04}.dcm", buffer.getvalue())


def images_in(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(name.endswith(".dcm") for name in archive.namelist())


def report(rounds: int, folder: Path) -> str:
    largest = folder / "largest.zip"
    write_largest(largest)
    costs: dict[str, list[Cost]] = {"public": [], "one process": [], "bspline": [], "linear": []}
    for _ in range(rounds):
        costs["public"].append(measure(public(DATA / SCAN, folder)))
        one = ["-m", "bench.our_preparation", str(DATA / SCAN), str(folder / "one")]
        costs["one process"].append(measure([one]))
        for name in ("bspline", "linear"):
            costs[name].append(measure(ours(DATA / SCAN, folder, name)))
    best = {name: fastest(found) for name, found in costs.items()}
    lines = ["# From a DICOM zip to volume and slices", "", f"By `python -m bench.preparation --rounds {rounds}`."]
    lines += [f"{platform.machine()}, {os.cpu_count()} shared cores, load {os.getloadavg()[0]:.1f} at the end.", ""]
    lines += [f"{SCAN}, {images_in(DATA / SCAN)} images, to 320 cubed at 1 mm and three stacks of 128 cubed.", ""]
    lines += ["| way | wall, s | CPU, s | peak memory, MB | times as fast |", "|---|---|---|---|---|"]
    names = {
        "public": "public scripts' way, cubic, one process",
        "one process": "dx2ct, cubic B-spline, one process",
        "bspline": "dx2ct, cubic B-spline, two commands as in the workflow",
        "linear": "dx2ct, linear, two commands as in the workflow",
    }
    for name, cost in best.items():
        ratio = best["public"].seconds / cost.seconds
        lines.append(
            f"| {names[name]} | {cost.seconds:.2f} | {cost.cpu_seconds:.2f} | {cost.peak_mb:.0f} | {ratio:.1f} |"
        )
    lines += ["", *equality(folder), "", *collection(folder, largest, rounds)]
    return "\n".join(lines) + "\n"


def equality(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "bench.preparation_equality", str(DATA / SCAN), str(folder)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def collection(folder: Path, largest: Path, rounds: int) -> list[str]:
    """All of LIDC-IDRI by the line through the CPU seconds of five scans."""
    rows, counts, seconds = [], [], []
    for scan in [*(DATA / name for name in OTHERS), DATA / SCAN, largest]:
        cost = fastest([measure(ours(scan, folder, "bspline")) for _ in range(min(rounds, 2))])
        counts.append(images_in(scan))
        seconds.append(cost.cpu_seconds)
        rows.append(
            f"| {scan.stem} | {counts[-1]} | {cost.seconds:.2f} | {cost.cpu_seconds:.2f} | {cost.peak_mb:.0f} |"
        )
    slope, start = np.polyfit(counts, seconds, 1)
    total = SERIES * start + IMAGES * slope
    off = np.abs(np.polyval([slope, start], counts) - seconds).max()
    return [
        "## The whole collection",
        "",
        "| scan | images | wall, s | CPU, s | peak memory, MB |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"Cubic B-spline. `largest`: {LARGEST} images as in LIDC-IDRI's largest series, made of LIDC-IDRI-0001's.",
        f"A line through the CPU seconds: {start:.2f} s a scan, {1000 * slope:.1f} ms an image ({off:.2f} s off).",
        f"LIDC-IDRI has {SERIES:,} CT series with {IMAGES:,} images: {total / 3600:.2f} hours of CPU,",
        f"on {CORES} cores {total / 3600 / CORES:.2f} hours,",
        "if jobs on different cores do not slow each other down and the disk keeps up. X-rays are not in it.",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    if not (DATA / SCAN).is_file():
        raise SystemExit(f"no {SCAN} in {DATA}: set DX2CT_REAL_DATA to a folder with ct/ and xray/")
    with tempfile.TemporaryDirectory() as name:
        text = report(rounds, Path(name))
    (ROOT / "docs" / "notes" / "preparation.md").write_text(text)
    print(text)
