"""The classical references: what they see, where they put it, and that they are the floors that they claim to be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drr.errors import InputError
from dx2ct.config import SamplingOptions
from dx2ct.data.scans import averaged, read_xrays
from dx2ct.methods import method_named
from dx2ct.methods.contract import Trained
from dx2ct.training.runtime import Runtime
from tests.fabricate import body, BOTH, rows, SPLITS, tiny, train, write_scan, XRAY_PIXELS

PIXELS = 48
LUNG = (2.5, 3.5, 10.0)
ROWS: dict[str, dict[str, Any]] = {
    "backprojection": {"method": "backprojection", "filter": "none"},
    "fbp": {"method": "backprojection", "filter": "ramp"},
    "sart": {"method": "sart", "start": "empty", "iterations": 5},
    "sart_mean": {"method": "sart", "start": "mean", "iterations": 5},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bodies with a lung, all in one place but of different widths; the last one, which is tested, is the widest."""
    folder = tmp_path_factory.mktemp("data")
    for number, scan in enumerate(SPLITS):
        write_scan(folder, scan, body(0, 64, 0.6 + 0.1 * number, LUNG), x_mm=number)
    return folder


def trained(name: str, data: Path, output: Path, **row: Any) -> Trained:
    """A run of a row, trained and loaded."""
    settings = tiny(ROWS[name]["method"], ROWS[name] | {"pixels": PIXELS} | row)
    train(settings, data, output)
    return method_named(settings.run.method).implement().load(settings, output, Runtime())


def error_hu(name: str, data: Path, output: Path, **row: Any) -> float:
    """RMSE of the test scan after training."""
    found = trained(name, data, output, **row)
    xrays = read_xrays(data, "scan-3", found.inputs.names)
    planes = found.reconstruct(xrays, found.inputs.views, SamplingOptions())
    assert all(volume is planes.axial for volume in planes.by_name().values())
    return float(np.sqrt(np.mean((planes.axial - truth_of(data, "scan-3")) ** 2)))


def truth_of(data: Path, scan: str) -> np.ndarray:
    return np.load(data / f"slices/{scan}/axial.npy").astype(float)


@pytest.mark.parametrize("name", ROWS)
def test_looking_at_the_xrays_beats_one_grey(name: str, data: Path, tmp_path: Path) -> None:
    grey = truth_of(data, "scan-3").std()
    assert error_hu(name, data, tmp_path / "both") < 0.9 * grey
    if name != "fbp":  # one filtered view has lost the mean and knows no depth
        assert error_hu(name, data, tmp_path / "pa", views=["pa"]) < 0.99 * grey


@pytest.mark.parametrize("name", ["backprojection", "sart"])
def test_a_third_view_from_anywhere_helps(name: str, data: Path, tmp_path: Path) -> None:
    two, three = (error_hu(name, data, tmp_path / str(len(v)), views=v) for v in (BOTH, (*BOTH, "oblique")))
    assert three < two


def test_sart_from_the_mean_volume_beats_the_mean_volume(data: Path, tmp_path: Path) -> None:
    """The patient is wider than all that were trained on, which the X-rays show."""
    mean = np.mean([truth_of(data, row.scan) for row in rows() if row.split == "train"], axis=0)
    mean_error = np.sqrt(np.mean((mean - truth_of(data, "scan-3")) ** 2))
    assert error_hu("sart_mean", data, tmp_path) < 0.8 * mean_error


def test_xrays_of_too_few_pixels_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"X-ray of \(64, 64\) cannot be averaged to 400 pixels"):
        error_hu("fbp", data, tmp_path, pixels=400)


def test_averaged_pixels_are_means_of_integrals(data: Path) -> None:
    images = np.stack(list(read_xrays(data, "scan-3", BOTH).values()))
    assert images.shape == (2, XRAY_PIXELS, XRAY_PIXELS)
    blocks = images.reshape(2, 32, 2, 32, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(np.stack([averaged(image, 32) for image in images]), blocks, rtol=1e-5)


def test_damaged_weights_are_one_line(data: Path, tmp_path: Path) -> None:
    trained("sart", data, tmp_path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    settings = tiny("sart", ROWS["sart"])
    with pytest.raises(InputError, match=r"weights\.safetensors") as caught:
        method_named("sart").implement().load(settings, tmp_path, Runtime())
    assert "\n" not in str(caught.value)
