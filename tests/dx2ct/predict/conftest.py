"""What the tests of prediction share: a random run in memory, a cohort, and two films."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import dx2ct
from dx2ct import layout
from dx2ct.predict.model import Model
from tests.fabricate import BOTH, cohort, lateral, pa, random_run, write_dicom

SCAN = "scan-3"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dx2ct.load(random_run(tmp_path_factory.mktemp("runs") / "run"), "cpu", 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


@pytest.fixture
def films(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "in").mkdir()
    files = {"pa": tmp_path / "in/pa.png", "lateral": tmp_path / "in/lateral.dcm"}
    cv2.imwrite(str(files["pa"]), (pa() * 65535).astype(np.uint16))
    write_dicom(files["lateral"], (lateral() * 4000).astype(np.uint16), PixelSpacing=[2.0, 2.0])
    return files


def xray_files(data: Path, views: tuple[str, ...] = BOTH) -> dict[str, Path]:
    """Line integrals of SCAN by view."""
    return {view: layout.xray(data, SCAN, view) for view in views}
