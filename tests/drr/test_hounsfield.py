"""Values that are HU pass, values that are not are refused, whatever padding lies around them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest
from scipy.ndimage import gaussian_filter

from drr.ct.hounsfield import Histogram, require_air_outside, require_hu
from drr.errors import InputError

PATH = Path("ct.nii")
PADDINGS = (None, -1000, -1024, -2000, -3024, -32768)


def chest(seed: int = 0, air: float = -1000) -> NDArray[np.float64]:
    """HU of a chest in a round field of view: air, lungs, fat, tissue, bone, with the noise of a scanner."""
    y, x = np.mgrid[-64:64, -64:64]
    slice_hu = np.full((128, 128), air, np.float64)
    slice_hu[(x / 55) ** 2 + (y / 38) ** 2 < 1] = -100
    slice_hu[(x / 50) ** 2 + (y / 33) ** 2 < 1] = 50
    slice_hu[(np.abs(x) > 12) & ((np.abs(x) - 26) ** 2 / 13**2 + (y / 24) ** 2 < 1)] = -850
    slice_hu[x**2 + (y - 25) ** 2 < 36] = 700
    return slice_hu[None] + np.random.default_rng(seed).normal(0, 20, (12, 128, 128))


def padded(hu: NDArray[np.float64], padding: int | None) -> NDArray[np.float64]:
    y, x = np.mgrid[-64:64, -64:64]
    return hu if padding is None else np.where(x**2 + y**2 < 63**2, hu, padding)


def read(values: NDArray[np.float64]) -> None:
    require_hu(PATH, Histogram.of(np.rint(values).astype(np.int32)))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("air", [-1000, -1024])
def test_hounsfield_units_pass(padding, clipped, air):
    hu = padded(chest(air=air), padding)
    read(np.maximum(hu, -1024) if clipped else hu)


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_body_cut_out_of_its_air_passes(padding):
    hu = chest()
    read(np.where(hu < -700, -1024 if padding is None else padding, hu))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("offset", [1000, 1024, 2048, 8192])
@pytest.mark.parametrize("stray", [False, True])
def test_an_offset_is_seen_behind_the_padding(padding, clipped, offset, stray):
    """HU + 1024 with padding -2000 has a minimum and a maximum as HU have."""
    values = padded(chest() + offset, padding)
    if stray:
        values[0, 0, :9] = -1000
    with pytest.raises(InputError, match="are not HU"):
        read(np.maximum(values, -1024) if clipped else values)


@pytest.mark.parametrize("padding", PADDINGS)
def test_an_offset_taken_off_twice_is_seen(padding):
    with pytest.raises(InputError, match="was the offset subtracted twice"):
        read(padded(chest() - 1024, padding))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("scale", [1 / 1000, 0.1, 255 / 2000])
def test_other_scales_are_seen(padding, scale):
    with pytest.raises(InputError, match="are not HU"):
        read(padded((chest() + 1000) * scale, padding if padding != -1000 else None))


def test_air_that_lies_too_high_is_seen(capsys):
    """Half of HU is refused; 300 HU more may be a smooth reconstruction, and is said."""
    with pytest.raises(InputError, match=r"the lowest values lie near -5\d\d, and air is -1000 HU: undo what scaled"):
        read(chest() / 2)
    read(chest() + 300)
    assert "the lowest values lie near -7" in capsys.readouterr().err
    read(chest())
    assert not capsys.readouterr().err


def test_a_scan_that_was_filled_with_water_is_seen():
    """What a resampling program fills with unless it is told."""
    filled = np.rint(padded(chest(), 0)).astype(np.int16)
    with pytest.raises(InputError, match="8 of its 8 corners and 24% of its voxels are exactly 0 HU"):
        require_air_outside(PATH, filled)
    for padding in (None, -1024, -500):
        require_air_outside(PATH, np.rint(padded(chest(), padding)).astype(np.int16))
    inside = np.rint(chest()).astype(np.int16)[:, 40:80, 50:76]  # corners of tissue, none like another
    require_air_outside(PATH, inside)


def test_values_beyond_int16_are_seen():
    with pytest.raises(InputError, match="mark padding as -1024"):
        read(np.where(chest() > 500, 62512, chest()))


def test_air_alone_is_no_patient():
    with pytest.raises(InputError, match="are air alone"):
        read(np.random.default_rng(0).normal(-1000, 20, (12, 64, 64)))


def test_a_histogram_counts_every_voxel_once():
    values = np.arange(-40000, 40000, dtype=np.int32).reshape(2, 200, 200)
    counts = Histogram.of(values).counts
    assert counts.sum() == values.size and (counts[1:-1] == 1).all()
    assert counts[0] == 40000 - 2**15 + 1


@pytest.mark.parametrize("smooth", [False, True])
def test_lungs_masked_with_water_are_said(capsys, smooth):
    hu = chest() if not smooth else gaussian_filter(chest(), 1)
    read(hu)
    assert not capsys.readouterr().err
    read(np.where((hu > -950) & (hu < -700), 0, hu))
    assert "% of its voxels are exactly 0 HU" in capsys.readouterr().err
