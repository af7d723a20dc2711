"""The measurements of the ray-caster: what they count is what rays cross, and they say what they leave out."""

from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

from bench.raycaster.common import own_view, random_volume, VIEWS
from bench.raycaster.scaling import crossings, resampled
from drr import _cupy
from drr._numpy import _crossings, _rows
from drr._rays import rays_through
from drr.volume import Volume

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", VIEWS)
def test_crossings_are_those_of_the_reference(name: str) -> None:
    volume = Volume(np.zeros((7, 9, 12), np.int16), (30.0, 40.0, 25.0), (3.0, 5.0, 1.0))  # some rays miss it
    view = own_view(name, volume.centre_mm, 24)
    rays = rays_through(volume, view)
    lengths = np.concatenate([_crossings(volume.array.shape, rays, ends)[1] for ends in _rows(rays)])
    assert (lengths.max(axis=1) == 0).any()
    assert crossings(volume, view) == (lengths > 1e-9).sum()


def test_a_resampled_volume_fills_the_same_box() -> None:
    volume = random_volume(8)
    finer = resampled(volume, 16)
    assert finer.spacing_mm == (20.0, 20.0, 20.0)
    assert (finer.array == volume.array.repeat(2, 0).repeat(2, 1).repeat(2, 2)).all()


def test_the_bench_without_peers(tmp_path: Path) -> None:
    random_volume(24).write(tmp_path / "ct.mha")
    command = [sys.executable, "bench/drr.py", "--ct", str(tmp_path / "ct.mha"), "--rounds", "1", "--part", "speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "left out: no --peers" in done.stdout


@pytest.mark.skipif(_cupy.available(), reason="there is a GPU")
def test_the_gpu_bench_refuses_in_one_line() -> None:
    done = subprocess.run([sys.executable, "bench/drr_gpu.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "GPU" in done.stderr
