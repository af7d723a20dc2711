"""Fabricated scans, small enough to train on in a test, and trainings of them in processes of their own."""

from collections.abc import Sequence
import csv
from pathlib import Path
import subprocess
import sys

import numpy as np

from drr.volume import Volume
from dx2ct.config import SlicesSettings, XraySettings
from dx2ct.data.prepare.xrays import make_slices, make_xrays

ROOT = Path(__file__).resolve().parents[2]


def write_scans(folder: Path, scans: Sequence[str]) -> None:
    """Volumes of noise with their X-rays and slices at 32 cubed."""
    for i, scan in enumerate(scans):
        hu = np.random.default_rng(i).integers(-1000, 400, (64, 64, 64)).astype(np.int16)
        path = folder / "volumes" / f"{scan}.mha"
        Volume(hu, (5.0, 5.0, 5.0), (-157.5 + i, -157.5, 1000.0)).write(path)
        make_xrays(path, XraySettings(1, "x2ct", "plastimatch"), folder / "xrays" / scan)
        make_slices(path, SlicesSettings(1, 32), folder / "slices" / scan)


def start(settings: str, data: Path, output: Path, *python: str) -> "subprocess.Popen[str]":
    """`dx2ct train` on the folder's sheet.tsv with one thread; python: what comes before, by default -m dx2ct."""
    line = [sys.executable, *(python or ("-m", "dx2ct")), "train", "--settings", settings, "--threads", "1"]
    line += ["--sheet", str(data / "sheet.tsv"), "--data", str(data), "-o", str(output), "--device", "cpu"]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def write_sheet(data: Path, splits: dict[str, str]) -> None:
    """sheet.tsv of {scan: split}."""
    lines = ["scan\tpatient\tpath\tseries_uid\tsplit", *(f"{s}\t{s}\t\t\t{split}" for s, split in splits.items())]
    (data / "sheet.tsv").write_text("\n".join(lines) + "\n")


def log_of(run: Path) -> list[dict[str, str]]:
    """The rows of training.csv."""
    with (run / "training.csv").open() as file:
        return list(csv.DictReader(file))
