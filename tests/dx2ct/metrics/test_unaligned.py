"""Chests that are compared without being aligned."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
from scipy.ndimage import affine_transform

from drr.volume import Volume
from dx2ct.metrics.evaluation import Truth
from dx2ct.metrics.registry import FILM_METRICS
from dx2ct.metrics.unaligned import FilmCase, measured_chest

SIZE, MM = 48, 6.0
HEART = 13  # voxels between the lungs


def chest(lung: float = 1.0, heart: int = HEART) -> NDArray[np.int16]:
    """A body with two unlike lungs and `heart` voxels between them, (z, y, x) HU."""
    z, y, x = np.mgrid[:SIZE, :SIZE, :SIZE] - (SIZE - 1) / 2
    hu = np.full((SIZE,) * 3, -1000, np.int16)
    hu[(x / 22) ** 2 + (y / 16) ** 2 < 1] = 30
    side = np.abs(x) - heart / 2
    inside = (side > 0) & ((side / 9) ** 2 + ((y + 1) / 12) ** 2 + (z / (18 * lung)) ** 2 < 1)
    hu[inside & ~((x > 0) & (z > 8))] = -800
    return hu


def turned(hu: NDArray[Any], degrees: float, shift: tuple[float, float, float]) -> NDArray[np.int16]:
    """In the axial plane, then shifted by voxels."""
    angle = np.deg2rad(degrees)
    frame = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    middle = np.full(3, (SIZE - 1) / 2)
    offset = middle - frame @ (middle + shift)
    return np.rint(affine_transform(hu.astype(np.float32), frame, offset, order=1, cval=-1000)).astype(np.int16)


def case(truth: NDArray[np.int16], found: NDArray[np.int16], **more: Any) -> FilmCase:
    here, there = (Volume(hu, (MM,) * 3, place) for hu, place in ((truth, (0.0, 0.0, 900.0)), (found, (0.0,) * 3)))
    return FilmCase(Truth(here), found, volume=there, **more)


def values(of: FilmCase) -> dict[str, float]:
    return {one.name: one.measure(of) for metric in FILM_METRICS for one in metric.each(("pa",))}


def test_the_widths_and_the_volume_are_those_of_the_mask():
    lung = chest() == -800
    found = measured_chest(lung, (MM, MM, MM))
    assert found.lung_ml == pytest.approx(np.count_nonzero(lung) * MM**3 / 1000)
    assert found.heart_mm == pytest.approx(HEART * MM, abs=MM)
    assert found.ctr == pytest.approx(HEART / (HEART + 18), abs=0.06)


def test_a_chest_that_is_only_elsewhere_has_no_error():
    truth = chest()
    found = values(case(truth, turned(truth, 7.0, (4.0, -3.0, 5.0)), unexplained={"pa": 0.2}))
    assert found["dice_lung_registered"] > 0.93
    assert abs(found["lung_volume_error_percent"]) < 6  # edges of a turned mask are soft, and the threshold is below
    assert abs(found["ctr_error"]) < 0.05 and abs(found["heart_width_error_mm"]) <= 1.5 * MM
    assert found["unexplained_pa"] == 0.2


def test_a_smaller_lung_and_a_larger_heart_are_seen():
    found = values(case(chest(), chest(lung=0.7, heart=HEART + 4)))
    assert found["lung_volume_error_ml"] < 0 and -45 < found["lung_volume_error_percent"] < -20
    assert found["heart_width_error_mm"] == pytest.approx(4 * MM, abs=MM)
    assert found["ctr_error"] > 0.05
    assert found["dice_lung_registered"] < 0.9
    assert np.isnan(found["unexplained_pa"])


def test_without_lungs_nothing_is_measured_and_nothing_overlaps():
    air, truth = np.full((SIZE,) * 3, -1000, np.int16), chest()
    found = values(case(truth, air))
    assert found.pop("dice_lung_registered") == 0
    assert [name for name, value in found.items() if not np.isnan(value)] == ["lung_volume_ct_ml", "ctr_ct"]
    assert np.isnan(values(case(air, truth))["dice_lung_registered"])
