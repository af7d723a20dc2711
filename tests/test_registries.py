"""A method, a solver, a source: one file and one line. A key: one line. Each is added to a copy and runs to metrics.

What is added lies in tests/additions. tests/dx2ct/scoring/test_a_new_metric.py does the same for a metric.
"""

import csv
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import yaml

from drr.volume import read_volume, Volume
from dx2ct import layout
from dx2ct.planning import Plan
from tests.conftest import ROOT
from tests.copies import Copy

pytestmark = pytest.mark.slow
ADDITIONS = ROOT / "tests/additions"
SMOKE = "workflow/config/smoke.yaml"


def workflow(
    project: Path, folder: Path, *targets: str, config: dict[str, Any], path: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a project's workflow in `folder` on the smoke configuration with `config` over it. path: further packages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    line = [sys.executable, "-m", "snakemake", "--snakefile", project / "Snakefile", "--directory", folder, *targets]
    line += ["--configfile", project / SMOKE, folder / "mine.yaml"]
    packages = os.pathsep.join(str(place) for place in (path, project) if place)
    environment = os.environ | {"PYTHONPATH": packages, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(word) for word in line],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=project,
        env=environment,
    )


def metrics(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of results/metrics.csv by run."""
    with (folder / "results/metrics.csv").open(newline="") as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def metrics_of(project: Path, folder: Path, path: Path | None = None, **config: Any) -> dict[str, dict[str, str]]:
    done = workflow(project, folder, "results/metrics.csv", config=config, path=path)
    assert done.returncode == 0, done.stdout[-5000:]
    return metrics(folder)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke cohort as far as no run is needed, with three views of every scan."""
    folder = tmp_path_factory.mktemp("prepared")
    plan = Plan([ROOT / SMOKE], THREE, ROOT)
    scans = plan.usable("train", "test")
    done = workflow(ROOT, folder, *plan.stacks(scans), *plan.xrays(scans), config=THREE)
    assert done.returncode == 0, done.stdout[-5000:]
    return folder


THREE = {"xray": {"views": {"pa": "pa", "lateral": "lateral", "oblique": {"gantry": 45, "tilt": 10}}}}


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """The prepared cohort, to be spoilt; Snakemake finds its records and does nothing of it again."""
    return Path(shutil.copytree(prepared, tmp_path / "work"))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "project")


def add(copy: Copy, addition: str, to: str) -> str:
    """Put a file of ADDITIONS into a package of the copy; its name there."""
    name = f"{to}/{addition}.py"
    copy.write(name, (ADDITIONS / f"{addition}.py").read_text(encoding="utf-8"))
    return name


def test_a_method_is_a_file_and_a_line(copy: Copy, folder: Path) -> None:
    name, registry = add(copy, "nearest", "dx2ct/methods"), "dx2ct/methods/__init__.py"
    copy.replace(registry, "BUILT_IN = (", 'BUILT_IN = ("nearest", ')
    assert copy.changes() == ([name], {registry: 1})
    runs = {"nearest": {"method": "nearest", "pixels": 8}, "one_view": {"method": "nearest", "views": ["pa"]}}
    rows = metrics_of(copy.root, folder, runs=runs, report=["mean", *runs])
    assert [row["method"] for row in rows.values()] == ["mean", "nearest", "nearest"]
    assert all(np.isfinite(float(row["psnr_db"])) for row in rows.values())
    card = (folder / "results/nearest/model_card.md").read_text(encoding="utf-8")
    assert "The training scan whose X-rays are most alike." in card
    settings = json.loads((folder / "results/nearest/settings.json").read_text(encoding="utf-8"))
    assert settings["run"]["pixels"] == 8 and set(settings["xray"]["views"]) == {"pa", "lateral"}
    volume = read_volume(layout.reconstruction(folder / "results/nearest", "phantom-021")).array
    stacks = [np.load(layout.stack(folder / "data", scan, "axial")) for scan in ("phantom-001", "phantom-002")]
    assert any(np.array_equal(volume, stack) for stack in stacks), "one of the training scans"


def test_a_solver_is_a_file_and_a_line(copy: Copy, folder: Path) -> None:
    name, registry = add(copy, "euler", "dx2ct/samplers"), "dx2ct/samplers/__init__.py"
    line = '    "euler": Solver("Euler", "Song et al. 2021, eq. 14", "dx2ct.samplers.euler:euler"),'
    copy.insert(registry, '    "dpm"', line)
    assert copy.changes() == ([name], {registry: 1})
    runs = {"ours": {"weights_of": "dx2ct", "reconstruct": {"solver": "euler"}}}
    rows = metrics_of(copy.root, folder, runs=runs, report=["dx2ct", "ours"])
    assert float(rows["ours"]["psnr_db"]) == pytest.approx(float(rows["dx2ct"]["psnr_db"]), abs=0.01), "in theory DDIM"
    refused = workflow(copy.root, folder, "--dry-run", config={"reconstruct": {"solver": "euler", "eta": 0.5}})
    assert "reconstruct.eta: 0.5 with solver euler, which adds no fresh noise" in refused.stdout


def test_a_source_is_a_file_and_a_line(copy: Copy, tmp_path: Path) -> None:
    name, registry = add(copy, "ball", "dx2ct/data/sources"), "dx2ct/data/sources/__init__.py"
    copy.replace(registry, "BUILT_IN = (", 'BUILT_IN = ("ball", ')
    assert copy.changes() == ([name], {registry: 1})
    lines = ["scan\tpatient\tpath\tseries_uid\tsplit\tradius"]
    for number, split in enumerate(("train", "train", "test")):
        lines.append(f"b{number}\tp{number}\tdata/raw/b{number}.zip\t\t{split}\t{100 + 10 * number}")
    (tmp_path / "balls.tsv").write_text("\n".join(lines) + "\n")
    cohort = {"source": "ball", "sheet": str(tmp_path / "balls.tsv")}
    rows = metrics_of(copy.root, tmp_path / "work", cohort=cohort, report=["mean"])
    assert float(rows["mean"]["psnr_db"]) > 15


def test_a_key_is_a_line(copy: Copy, tmp_path: Path) -> None:
    line = '    margin_mm: NotNegative = key(3.0, "Of something new", unit="mm", source="a test")'
    copy.insert("dx2ct/config/results.py", "    lpips: bool", line)
    assert copy.changes() == ([], {"dx2ct/config/results.py": 1})
    shown = copy.run("dx2ct", "config", "--resolve", SMOKE).stdout
    assert "  margin_mm: 3.0  # default, a test" in shown.splitlines()
    shutil.copytree(ROOT / "docs", copy.root / "docs")
    copy.run("dx2ct.planning.docs")
    schema = yaml.safe_load((copy.root / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    key = schema["properties"]["score"]
    key = schema["$defs"][key["$ref"].rsplit("/", 1)[-1]] if "$ref" in key else key
    assert key["properties"]["margin_mm"]["description"] == "Of something new. in mm. default: a test"
    assert (
        "| `margin_mm` | `3.0` | Of something new, mm | a test |" in (copy.root / "docs/configuration.md").read_text()
    )


def test_a_method_of_another_package_touches_nothing(folder: Path, tmp_path: Path) -> None:
    """As pip would install it: a module, and an entry point in the metadata beside it."""
    site, information = tmp_path / "site", tmp_path / "site/theirs-1.0.dist-info"
    information.mkdir(parents=True)
    shutil.copyfile(ADDITIONS / "nearest.py", site / "theirs.py")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[dx2ct.methods]\nnearest = theirs:METHOD\n")
    rows = metrics_of(ROOT, folder, site, runs={"theirs": {"method": "nearest"}}, report=["theirs"])
    assert rows["theirs"]["method"] == "nearest" and np.isfinite(float(rows["theirs"]["psnr_db"]))
    (site / "theirs.py").write_text("import gone_and_lost\n")
    refused = workflow(ROOT, folder, "--dry-run", config={}, path=site)
    assert refused.returncode == 1 and "Traceback" not in refused.stdout
    assert "error: method nearest: theirs:METHOD cannot be imported (No module named 'gone_and_lost')" in refused.stdout


def test_a_run_sees_some_of_three_named_views(folder: Path) -> None:
    runs = {
        "sart_oblique": {"method": "sart", "views": ["pa", "oblique"], "pixels": 32, "iterations": 2},
        "lift_oblique": {"method": "lift", "views": ["oblique", "pa"]},
    }
    rows = metrics_of(ROOT, folder, **THREE, runs=runs, report=["mean", *runs])
    assert rows["sart_oblique"]["views"].split("+") == ["pa", "oblique"]
    for view in THREE["xray"]["views"]:
        assert np.isfinite(float(rows["sart_oblique"][f"reprojection_{view}"]))


@pytest.fixture
def theirs(folder: Path, tmp_path: Path) -> Path:
    """The test scan's own CT with an error of 50 HU, on the training grid, as somebody else's reconstruction."""
    hu = np.load(layout.stack(folder / "data", "phantom-021", "axial"))
    volume = read_volume(layout.volume(folder / "data", "phantom-021"))
    step = volume.spacing_mm[0] * len(volume.array) / len(hu)
    x, y, z = (centre - (len(hu) - 1) / 2 * step for centre in volume.centre_mm)
    path = tmp_path / "theirs/phantom-021.nii.gz"
    Volume(hu + np.int16(50), (step,) * 3, (x, y, z)).write(path)
    return path


def test_anybody_s_volumes_are_scored_like_a_run(folder: Path, theirs: Path) -> None:
    row = {"method": "volumes", "path": str(theirs.parent / "{scan}.nii.gz"), "trained_on": "balls"}
    rows = metrics_of(ROOT, folder, runs={"theirs": row}, report=["mean", "theirs"])
    assert float(rows["theirs"]["mae_hu"]) == pytest.approx(50, abs=1)
    assert "It was trained on: balls" in (folder / "results/theirs/model_card.md").read_text(encoding="utf-8")


def test_volumes_that_cannot_be_scored_are_one_line(folder: Path, theirs: Path) -> None:
    """Missing before anything runs; mirrored, normalised and of another grid by the job that sees it."""
    row = {"method": "volumes", "path": str(theirs.parent / "{scan}.nii.gz")}
    right = read_volume(theirs)

    def told(array: np.ndarray, spacing: float = 1.0) -> str:
        Volume(array, tuple(spacing * mm for mm in right.spacing_mm), right.origin_mm).write(theirs)
        config = {"runs": {"theirs": row}, "report": ["theirs"]}
        done = workflow(ROOT, folder, "results/metrics.csv", config=config)
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
        assert done.returncode == 1 and str(theirs) in line
        return line

    assert "scan phantom-021: mirrored front to back" in told(right.array[:, ::-1])
    assert "normalised, not HU" in told(np.clip((right.array + 1024) / 2500, 0, 1).astype(np.float32))
    assert "set resample: true in the row" in told(right.array, spacing=2.0)
    theirs.unlink()
    refused = workflow(ROOT, folder, "--dry-run", config={"runs": {"theirs": row}, "report": ["theirs"]})
    assert f"error: runs.theirs: {theirs}: no such file" in refused.stdout and refused.returncode == 1
