"""The classical references: what they see, where they put it, and that they are the floors that they claim to be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import SlicesSettings, XraySettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.prepare.xrays import make_slices, make_xrays
from dx2ct.data.scans import read_films, read_integrals
from dx2ct.methods.registry import method_of
from tests.dx2ct.settings_for_tests import plain, tiny

CPU = torch.device("cpu")
HOW = plain(batch=20)
ROWS = [Row(f"scan-{i}", f"scan-{i}", "", "", "train" if i < 3 else "test") for i in range(4)]
BOTH = ["pa", "lateral"]
ROWS_OF_RUNS: dict[str, dict[str, Any]] = {
    "backprojection": {"method": "backprojection", "filter": "none", "views": BOTH, "pixels": 48},
    "fbp": {"method": "backprojection", "filter": "ramp", "views": BOTH, "pixels": 48},
    "sart": {"method": "sart", "start": "empty", "iterations": 5, "relaxation": 0.5, "views": BOTH, "pixels": 48},
    "sart_mean": {"method": "sart", "start": "mean", "iterations": 5, "relaxation": 0.5, "views": BOTH, "pixels": 48},
}


def text_of(name: str, **changes: Any) -> str:
    sections = json.loads(tiny())
    run = ROWS_OF_RUNS[name] | changes
    return json.dumps({"run": run} | {key: sections[key] for key in ("volume", "xray", "slices")})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bodies with a lung, all in one place but of different widths."""
    folder = tmp_path_factory.mktemp("data")
    z, y, x = np.mgrid[:64, :64, :64] - 31.5
    for i, row in enumerate(ROWS):
        hu = np.full((64, 64, 64), -1000, np.int16)
        hu[(x / (18 + 3 * i)) ** 2 + (y / (12 + 2 * i)) ** 2 < 1] = 40
        hu[((x - 8) / 5) ** 2 + (y / 7) ** 2 + (z / 20) ** 2 < 1] = -850
        path = folder / "volumes" / f"{row.scan}.mha"
        Volume(hu, (5.0, 5.0, 5.0), (-157.5 + i, -157.5, 1000.0)).write(path)
        make_xrays(path, XraySettings(1, "x2ct", "plastimatch"), folder / "xrays" / row.scan)
        make_slices(path, SlicesSettings(1, 32), folder / "slices" / row.scan)
    return folder


def error_hu(name: str, data: Path, output: Path, **changes: Any) -> float:
    """RMSE of the test scan after training."""
    text = text_of(name, **changes)
    method_of(text).train(text, ROWS, data, output, CPU)
    volumes = method_of(text).reconstruct(text, output, HOW, "scan-3", data, CPU)
    assert all(np.array_equal(volume, volumes["axial"]) for volume in volumes.values())
    truth = np.load(data / "slices/scan-3/axial.npy").astype(float)
    return float(np.sqrt(np.mean((volumes["axial"] - truth) ** 2)))


@pytest.mark.parametrize("name", ROWS_OF_RUNS)
def test_looking_at_the_xrays_beats_one_grey(name: str, data: Path, tmp_path: Path) -> None:
    truth = np.load(data / "slices/scan-3/axial.npy").astype(float)
    assert error_hu(name, data, tmp_path / "both") < 0.9 * truth.std()
    if name != "fbp":  # one filtered view has lost the mean and knows no depth
        assert error_hu(name, data, tmp_path / "pa", views=["pa"]) < 0.99 * truth.std()


def test_sart_from_the_mean_volume_beats_the_mean_volume(data: Path, tmp_path: Path) -> None:
    """The patient is wider than all that were trained on, which the X-rays show."""
    stacks = [np.load(data / f"slices/{row.scan}/axial.npy").astype(float) for row in ROWS]
    mean_error = np.sqrt(np.mean((np.mean(stacks[:3], axis=0) - stacks[3]) ** 2))
    assert error_hu("sart_mean", data, tmp_path) < 0.8 * mean_error


def test_xrays_of_too_few_pixels_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"xrays/.*: 320 pixels cannot be averaged to 400"):
        error_hu("fbp", data, tmp_path, pixels=400)


def test_integrals_are_means_over_pixels(data: Path) -> None:
    scan = next((data / "xrays").iterdir()).name
    films = np.stack(read_films(data, scan, ["pa", "lateral"]))
    blocks = films.reshape(2, 32, 10, 32, 10).mean(axis=(2, 4))
    np.testing.assert_allclose(read_integrals(data, scan, ["pa", "lateral"], 32), blocks, rtol=1e-5)
