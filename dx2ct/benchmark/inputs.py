"""What somebody's method is given: X-rays of all scans, and CTs of those that it may be trained on."""

from collections.abc import Iterable, Sequence
import csv
import json
from pathlib import Path
import shutil
from typing import Any

import numpy as np

from drr.files import replacing
from drr.progress import each
from drr.volume import AIR_HU
from dx2ct import layout
from dx2ct.benchmark.cohort import Benchmark
from dx2ct.benchmark.prepare import make
from dx2ct.data.scans import read_grid, read_stack

INPUTS = Path("inputs")
README = """\
Inputs of `dx2ct benchmark`. Research use only, not a medical device: the patients are procedural phantoms.

PART/{{scan}}/VIEW.mha      line integrals, float32 (row, column), of {views}
PART/{{scan}}/ct.nii.gz     of the parts train and val: the CT on the benchmark's grid, int16 HU
test/{{scan}}/grid.nii.gz   of the part test: air, lying where your volume must lie; take its header
scans.csv                   every scan: its part of the split, and the centre of its cube in LPS mm
geometry.json               the grid, and where source and detector are, in LPS mm from the centre of the cube

Training ends before the test: tune on val, look at test once. Write a volume of {size} cubed for each test scan to
theirs/{{scan}}.nii.gz beside this folder, HU, and run

    dx2ct benchmark score {folder} --name YOURS
"""


def write_inputs(folder: Path, training: bool, cores: int, benchmark: Benchmark) -> str:
    """Make the scans and write FOLDER/inputs; the command to type next.

    training: the parts train and val, too. cores: of the workflow, 0 = all. The truth of the test is in FOLDER/data
    alone, which scoring reads.
    """
    parts = ("train", "val", "test") if training else ("test",)
    make(folder, benchmark.config, targets(benchmark, benchmark.of(*parts)), cores)
    for part in parts:
        for scan in each(benchmark.of(part), part, "scan"):
            _write_scan(folder, scan, part, benchmark)
    _write_table(folder, parts, benchmark)
    _write_texts(folder, benchmark)
    return f"dx2ct benchmark score {folder} --name NAME"


def targets(benchmark: Benchmark, scans: Sequence[str]) -> list[str]:
    """What the workflow makes of scans: X-rays and slices, as seen from the folder."""
    return [*benchmark.plan.xrays(scans), *(str(layout.stack(layout.DATA, scan, "axial")) for scan in scans)]


def _write_scan(folder: Path, scan: str, part: str, benchmark: Benchmark) -> None:
    data, output, size = folder / layout.DATA, folder / INPUTS / part / scan, benchmark.grid.size
    for view in benchmark.plan.config.xray.views:
        with replacing(output / f"{view}.mha") as copy:
            shutil.copyfile(layout.xray(data, scan, view), copy)
    grid = read_grid(data, scan, size)
    if part == "test":
        grid.volume(np.full((size,) * 3, AIR_HU, np.int16)).write(output / "grid.nii.gz")
    else:
        grid.volume(np.asarray(read_stack(data, scan, "axial", size))).write(output / "ct.nii.gz")


def _write_table(folder: Path, parts: Iterable[str], benchmark: Benchmark) -> None:
    with replacing(folder / INPUTS / "scans.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["scan", "split", "x_mm", "y_mm", "z_mm"])
        for part in parts:
            for scan in benchmark.of(part):
                centre = read_grid(folder / layout.DATA, scan, benchmark.grid.size).centre_mm
                writer.writerow([scan, part, *(f"{value:.3f}" for value in centre)])


def _write_texts(folder: Path, benchmark: Benchmark) -> None:
    views = list(benchmark.plan.config.xray.views)
    text = README.format(views=" and ".join(views), size=benchmark.grid.size, folder=folder)
    for name, content in (("geometry.json", json.dumps(geometry(benchmark), indent=2) + "\n"), ("README.txt", text)):
        with replacing(folder / INPUTS / name) as path:
            path.write_text(content, encoding="utf-8")


def geometry(benchmark: Benchmark) -> dict[str, Any]:
    """The grid and the exposures, LPS mm from the cube's centre, which is the isocentre.

    projection: 3 x 4, a point (x, y, z, 1) to (column, row, 1) times its depth; pixels are numbered from 0 at their
    centres (drr/geometry.py).
    """
    grid, views = benchmark.grid, {}
    for name, view in benchmark.plan.config.xray.exposures().items():
        places = ("source_mm", "corner_mm", "column_step_mm", "row_step_mm", "rows", "columns")
        views[name] = {place: getattr(view, place) for place in places}
        views[name]["projection"] = view.projection_matrix().tolist()
    return {"grid": {"size": grid.size, "spacing_mm": grid.spacing_mm, "first_mm": grid.origin_mm}, "views": views}
