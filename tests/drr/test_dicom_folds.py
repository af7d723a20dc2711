"""Headers that fold stored values, by a sign or by too few bits: dense bone and metal would become air."""

import numpy as np
from numpy.typing import NDArray
import pytest

from drr.ct.read import read_ct
from tests.drr.series import body, Edit, write_series

BITS = 12


def dense() -> NDArray[np.int16]:
    """A body with a lump inside that grows denser to its middle, to 2,900 HU."""
    hu = body(12, 48, 48)
    z, y, x = np.ogrid[:12, :48, :48]
    lump = 2900 - 100 * ((z - 6) ** 2 + (y - 24) ** 2 + (x - 24) ** 2)
    return np.where(lump > 500, lump, hu).astype(np.int16)


def said(signed: bool, slices: slice = slice(None), **values: int) -> Edit:
    """Headers of 12 bits that say so of these slices."""

    def edit(header, k):
        header.BitsStored, header.HighBit = BITS, BITS - 1
        if k in range(99)[slices]:
            header.PixelRepresentation = int(signed)
        for keyword, value in values.items():
            header.add_new(keyword, "SS" if header.PixelRepresentation else "US", value)

    return edit


@pytest.mark.parametrize("slices", [slice(None), slice(6, 7), slice(0, 99, 2)])
def test_values_beyond_a_sign_that_is_not_theirs_are_read_without_it(tmp_path, capsys, slices):
    volume = read_ct(write_series(tmp_path / "ct", dense(), edit=said(True, slices)))
    np.testing.assert_array_equal(volume.array, dense())
    told = capsys.readouterr().err
    assert "PixelRepresentation says that values have a sign" in told and "BitsStored" not in told


@pytest.mark.parametrize("padding", [3000, 63536])
def test_padding_is_read_without_the_sign_as_well(tmp_path, capsys, padding):
    tell = said(True, PixelPaddingValue=(padding + 2**15) % 2**16 - 2**15)

    def edit(header, k):
        tell(header, k)
        stored = np.frombuffer(header.PixelData, np.uint16).reshape(48, 48).copy()
        stored[:3], stored[:, :3] = padding, padding
        header.PixelData = stored.tobytes()

    array = read_ct(write_series(tmp_path / "ct", dense(), edit=edit)).array
    assert (array[:, :3] == -1024).all()
    np.testing.assert_array_equal(array[:, 3:, 3:], dense()[:, 3:, 3:])
    assert "PixelRepresentation" in capsys.readouterr().err


@pytest.mark.parametrize("intercept", [0, -1024])
@pytest.mark.parametrize("padding", [None, -2000])
def test_values_that_have_a_sign_keep_it(tmp_path, capsys, intercept, padding):
    """Muscle, bone and metal at the edge of a round field of view lie beside padding that is far below."""
    hu = np.minimum(dense(), 2047 + intercept)
    outside = np.zeros(hu.shape, bool)
    if padding is not None:
        y, x = np.mgrid[-23.5:24, -23.5:24]
        outside = np.broadcast_to(x**2 + y**2 > 12**2, hu.shape)
    stored = np.where(outside, (padding or 0) + intercept, hu)
    volume = read_ct(write_series(tmp_path / "ct", stored, signed=True, intercept=intercept, edit=said(True)))
    np.testing.assert_array_equal(volume.array, np.where(outside, -1024, hu))
    assert "PixelRepresentation" not in capsys.readouterr().err


@pytest.mark.parametrize("signed", [False, True])
def test_values_in_more_bits_than_the_header_says_are_read_with_them(tmp_path, capsys, signed):
    hu = np.where(dense() > 900, 2 * dense() - 900, dense())
    volume = read_ct(write_series(tmp_path / "ct", hu, signed=signed, edit=said(signed)))
    np.testing.assert_array_equal(volume.array, hu)
    assert "BitsStored is too small" in capsys.readouterr().err


def test_an_overlay_in_the_bits_above_is_no_part_of_them(tmp_path, capsys):
    """It is drawn around a marker in the air, whose edge then looks like a fold."""
    hu = np.full((12, 64, 64), -1000, np.int16)
    hu[:, 12:60, 12:60], hu[:, :12, :12], hu[:, 4:7, 4:7] = body(12, 48, 48), -990, 3060

    def edit(header, k):
        said(False)(header, k)
        stored = np.frombuffer(header.PixelData, np.uint16).reshape(64, 64).copy()
        stored[2:10, 2:10] |= 0x1000
        stored[4:7, 4:7] &= 0x0FFF
        header.PixelData = stored.tobytes()

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", hu, edit=edit)).array, hu)
    assert "BitsStored" not in capsys.readouterr().err
