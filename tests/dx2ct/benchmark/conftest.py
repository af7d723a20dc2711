"""A benchmark of three test scans, prepared by the stages themselves, with one run of the workflow as its first row."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import shutil

import numpy as np
from numpy.typing import NDArray
import pytest
import yaml

from dx2ct import layout
from dx2ct.benchmark.cohort import Benchmark
from dx2ct.benchmark.rows import rows_of, write_rows
from dx2ct.config import SamplingOptions
from dx2ct.data.grid import CubeGrid
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_grid, read_stack
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.scoring.run import score_run
from dx2ct.training.runtime import Runtime
from tests.fabricate import body, rows, SIZE, smoke, tiny, train, write_scan, write_sheet

SPLITS = {"a-1": "train", "a-2": "val", "t-1": "test", "t-2": "test", "t-3": "test"}
TESTS = ["t-1", "t-2", "t-3"]
OURS = "ours"  # a run whose planes differ, so that what is scored is their mean


@dataclass(frozen=True)
class Prepared:
    """A folder that `benchmark inputs` has made, as far as scoring reads it, and its benchmark."""

    folder: Path
    benchmark: Benchmark

    def grid(self, scan: str) -> CubeGrid:
        """Where a scan's volume must lie."""
        return read_grid(self.folder / layout.DATA, scan, SIZE)

    def truth(self, scan: str) -> NDArray[np.int16]:
        """(z, y, x) HU."""
        return np.asarray(read_stack(self.folder / layout.DATA, scan, "axial"))

    def put(self, offset_hu: float, place: str = "theirs", scans: list[str] | None = None) -> None:
        """Volumes that are off by so much."""
        for scan in TESTS if scans is None else scans:
            off = self.truth(scan).astype(np.float32) + np.float32(offset_hu)
            self.grid(scan).volume(off).write(self.folder / place / f"{scan}.nii.gz")


def config(folder: Path) -> Path:
    """The smoke configuration with the cohort of SPLITS."""
    write_sheet(folder / "sheet.tsv", SPLITS, seeds=True)
    values = {"base": "workflow/config/smoke.yaml", "cohort": {"sheet": str(folder / "sheet.tsv")}}
    (folder / "benchmark.yaml").write_text(yaml.safe_dump(values | {"runs": {OURS: {"method": "sart"}}}))
    return folder / "benchmark.yaml"


def our_run(folder: Path) -> Path:
    """A run of a file a plane, reconstructed and scored as the workflow does."""
    data = folder / layout.DATA
    for scan in TESTS:
        for number, plane in enumerate(PLANES):
            off = read_stack(data, scan, "axial").astype(np.float32) + 10 * (number + 1)
            read_grid(data, scan, SIZE).volume(off).write(folder / "planes" / f"{plane}-{scan}.nii.gz")
    cohort = rows(SPLITS)
    run = train(tiny("volumes", {"path": f"{folder}/planes/{{plane}}-{{scan}}.nii.gz"}), data, folder / OURS, cohort)
    for scan in TESTS:
        reconstruct_scan(scan, run, SamplingOptions(), data, Runtime())
    sections = smoke().config
    score_run(run, TESTS, sections.score, data, layout.scores(run), sections.xray, folder / "sheet.tsv", threads=1)
    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("benchmark")
    benchmark = Benchmark(config(folder), folder / "ours.csv", folder / "submitted")
    for number, scan in enumerate(SPLITS):
        write_scan(folder / layout.DATA, scan, body(number, 2 * SIZE), x_mm=number)
    write_rows(rows_of(our_run(folder), 12.0), benchmark.ours)
    return Prepared(folder, benchmark)


@pytest.fixture
def prepared(made: Prepared, tmp_path: Path) -> Iterator[Prepared]:
    """The same data in a folder that a test may write to."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / layout.DATA).symlink_to(made.folder / layout.DATA)
    own = Benchmark(made.benchmark.config, made.benchmark.ours, tmp_path / "submitted")
    yield Prepared(folder, own)
    shutil.rmtree(folder)
