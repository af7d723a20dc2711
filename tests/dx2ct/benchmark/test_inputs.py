"""What `dx2ct benchmark inputs` writes: X-rays with their geometry, CTs to train on, no truth of the test."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from drr.caster import render
from drr.errors import InputError
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.benchmark import inputs as module
from dx2ct.benchmark.cohort import Benchmark
from dx2ct.benchmark.inputs import geometry, write_inputs
from dx2ct.benchmark.prepare import make
from dx2ct.data.scans import read_xrays
from tests.conftest import ROOT
from tests.dx2ct.benchmark.conftest import Prepared, TESTS

SMOKE = ROOT / "workflow/config/smoke.yaml"


@pytest.fixture
def written(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FOLDER/inputs of scans that are there already."""
    monkeypatch.setattr(module, "make", lambda *arguments: None)
    assert (
        write_inputs(prepared.folder, True, 1, prepared.benchmark)
        == f"dx2ct benchmark score {prepared.folder} --name NAME"
    )
    return prepared.folder / "inputs"


def test_every_scan_has_its_xrays_and_those_to_train_on_their_ct(written: Path, prepared: Prepared) -> None:
    files = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}
    xrays = {f"{view}.mha" for view in ("pa", "lateral")}
    expected = {f"test/{scan}/{name}" for scan in TESTS for name in {*xrays, "grid.nii.gz"}}
    expected |= {f"{scan}/{name}" for scan in ("train/a-1", "val/a-2") for name in {*xrays, "ct.nii.gz"}}
    assert files == expected | {"scans.csv", "geometry.json", "README.txt"}
    for name in files:
        if name.endswith("pa.mha"):
            assert (written / name).read_bytes() == layout.xray(
                prepared.folder / "data", name.split("/")[1], "pa"
            ).read_bytes()
    np.testing.assert_array_equal(read_volume(written / "val/a-2/ct.nii.gz").array, prepared.truth("a-2"))


def test_the_truth_of_the_test_is_not_among_them(written: Path) -> None:
    for scan in TESTS:
        assert (read_volume(written / f"test/{scan}/grid.nii.gz").array == -1024).all()


def test_a_volume_under_the_header_that_is_given_lies_where_it_must(written: Path, prepared: Prepared) -> None:
    for scan in TESTS:
        given, grid = read_volume(written / f"test/{scan}/grid.nii.gz"), prepared.grid(scan).volume()
        np.testing.assert_allclose(given.origin_mm, grid.origin_mm, atol=1e-3)
        np.testing.assert_allclose(given.spacing_mm, grid.spacing_mm)
    with (written / "scans.csv").open() as file:
        rows = {row["scan"]: row for row in csv.DictReader(file)}
    centre = [float(rows["t-3"][f"{axis}_mm"]) for axis in "xyz"]
    np.testing.assert_allclose(centre, prepared.grid("t-3").centre_mm, atol=1e-2)
    assert [row["split"] for row in rows.values()] == ["train", "val", "test", "test", "test"]


def test_the_geometry_is_that_of_the_xrays(written: Path, prepared: Prepared) -> None:
    """A small ball is seen where its matrix says; the file holds what is computed."""
    told = json.loads((written / "geometry.json").read_text())
    assert told == json.loads(json.dumps(geometry(prepared.benchmark)))
    grid, place_mm = prepared.benchmark.grid, np.array([40.0, -25.0, 60.0])
    hu = np.full((grid.size,) * 3, -1024, np.int16)
    first, step = np.array(told["grid"]["first_mm"]), told["grid"]["spacing_mm"]
    x, y, z = np.rint((place_mm - first) / step).astype(int)
    hu[z, y, x] = 1000
    centre_mm = first + step * np.array([x, y, z])
    exposures = prepared.benchmark.plan.config.xray.exposures()
    for name, image in zip(exposures, render(grid.volume(hu), list(exposures.values()), threads=1), strict=True):
        column, row, scale = np.array(told["views"][name]["projection"]) @ [*centre_mm, 1]
        weights = image - image.min()
        seen = [(weights * index).sum() / weights.sum() for index in np.indices(image.shape)]
        np.testing.assert_allclose(seen, [row / scale, column / scale], atol=0.5)
    assert image.shape == read_xrays(prepared.folder / "data", "t-1", ["pa"])["pa"].shape


@pytest.mark.slow
def test_the_workflow_makes_the_scans_once(tmp_path: Path) -> None:
    benchmark = Benchmark(SMOKE)
    write_inputs(tmp_path, False, 1, benchmark)
    assert (tmp_path / "inputs/test/phantom-021/lateral.mha").is_file()
    assert not (tmp_path / "data/raw/phantom-001.zip").exists(), "it was not asked for"
    made = layout.stack(tmp_path / "data", "phantom-021", "axial")
    before = made.stat().st_mtime_ns
    write_inputs(tmp_path, False, 1, benchmark)
    assert made.stat().st_mtime_ns == before
    assert "Nothing to be done" in (tmp_path / "logs/benchmark.log").read_text()


@pytest.mark.slow
def test_a_workflow_that_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(f"base: {SMOKE}\nvolum: {{}}\n")
    with pytest.raises(
        InputError, match=r"logs/benchmark\.log: the workflow failed \(.*volum: unknown key.*\): mend it and"
    ):
        make(tmp_path / "x", tmp_path / "bad.yaml", ["data/none"], 1)
