"""Stated deviation against found error."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from drr.errors import InputError
from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import SamplingOptions
from dx2ct.scoring.calibration import calibrate, rank_correlation, write_calibration
from dx2ct.scoring.deviation import body_errors, learn, ONE, TWO, write_scale
from tests.fabricate import body, DX2CT, TESTS, write_data, write_reconstructions


def test_an_honest_deviation_lies_on_the_diagonal():
    random = np.random.default_rng(0)
    stated = random.uniform(10, 200, 200_000)
    error = random.normal(0, stated)
    table = calibrate(stated, error)
    assert len(table) == 20 and table["voxels"].sum() == 200_000
    np.testing.assert_allclose(table["error_hu"], table["deviation_hu"], rtol=0.05)
    assert table["deviation_hu"].is_monotonic_increasing
    assert table["within_one"].mean() == pytest.approx(ONE, abs=0.01)
    assert table["within_two"].mean() == pytest.approx(TWO, abs=0.01)
    twice = calibrate(stated, 2 * error)
    np.testing.assert_allclose(twice["error_hu"], 2 * table["error_hu"])


def test_rank_correlation_knows_what_predicts_and_what_does_not():
    random = np.random.default_rng(1)
    stated = random.uniform(10, 200, 50_000)
    assert rank_correlation(stated, stated * random.choice([-1, 1], 50_000)) == pytest.approx(1)
    assert abs(rank_correlation(stated, random.normal(0, 50, 50_000))) < 0.02
    assert np.isnan(rank_correlation(np.full(9, 3.0), np.arange(9.0)))


def test_table_and_figure_of_a_run(tmp_path: Path):
    write_data(tmp_path / "data")
    write_reconstructions(tmp_path / "run", DX2CT, 20.0)
    with pytest.raises(InputError, match=r"deviations/t-1\.nii\.gz: missing: .*samples of 2 or more"):
        write_calibration(tmp_path / "run", TESTS, tmp_path / "data", tmp_path / "run/calibration.csv")
    random = np.random.default_rng(0)
    for number, scan in enumerate(TESTS):
        spread = random.uniform(1, 50, body(number).shape).astype(np.float32)
        Volume(spread, (2.0,) * 3, (0.0,) * 3).write(layout.deviation(tmp_path / "run", scan))
    write_calibration(tmp_path / "run", TESTS, tmp_path / "data", tmp_path / "run/calibration.csv")
    table = pd.read_csv(tmp_path / "run/calibration.csv")
    assert list(table["scan"].unique()) == list(TESTS) and len(table) == 60
    np.testing.assert_allclose(table["error_hu"], 40)  # twice the offset, everywhere
    assert table[["calibrated_one", "scale", "learnt_on"]].isna().all(axis=None), "nobody learnt a scale"
    alone = cv2.imread(str(tmp_path / "run/calibration.png"))
    assert alone.std() > 5
    found = learn({"v1": body_errors(tmp_path / "run", "t-1", tmp_path / "data")}, SamplingOptions(samples=2))
    write_scale(found, tmp_path / "scale.json")
    output = tmp_path / "run/calibration.csv"
    write_calibration(tmp_path / "run", TESTS, tmp_path / "data", output, tmp_path / "scale.json")
    table = pd.read_csv(output)
    assert set(table["learnt_on"]) == {"v1"} and table["scale"].to_numpy() == pytest.approx(found.scale, rel=1e-3)
    assert table["within_one"].mean() < 0.25 and 0.63 < table["calibrated_one"].mean() < 0.73
    wider = np.hypot(found.scale * table["deviation_hu"], found.floor_hu)
    np.testing.assert_allclose(table["calibrated_hu"], wider, rtol=1e-3)
    both = cv2.imread(str(tmp_path / "run/calibration.png"))
    assert both.shape[1] > 1.5 * alone.shape[1], "one picture beside the other"
