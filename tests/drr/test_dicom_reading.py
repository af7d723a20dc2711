from pathlib import Path

import numpy as np
from pydicom.pixels import get_decoder
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)
import pytest

from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.series import at_slice, body, to_jpeg_lossless, with_values, write_series, zipped


def test_values_spacing_and_place_come_from_the_headers(tmp_path):
    volume = read_ct(write_series(tmp_path / "ct"))
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, body())
    np.testing.assert_allclose(volume.spacing_mm, (1.5, 2.0, 3.0))  # x, y, z; never SliceThickness
    np.testing.assert_allclose(volume.origin_mm, (-10, -20, -30))
    assert volume.is_canonical


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (1, -1000), (1, -1024.5), (0.5, -1024), (2, -1000)])
def test_hu_do_not_depend_on_how_they_are_stored(tmp_path, signed, slope, intercept):
    hu = body() // 2 * 2
    volume = read_ct(write_series(tmp_path / "ct", hu, signed=signed, slope=slope, intercept=intercept))
    np.testing.assert_allclose(volume.array, hu, atol=1 if intercept % 1 else 0)


def test_signed_hu_with_intercept_0(tmp_path):
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", signed=True, intercept=0)).array, body())


def test_slope_and_intercept_are_those_of_every_slice(tmp_path):
    def edit(header, k):
        if k % 2:
            stored = np.frombuffer(header.PixelData, np.uint16) + 24
            header.PixelData, header.RescaleIntercept = stored.tobytes(), -1048

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=edit)).array, body())


def test_order_comes_from_positions(tmp_path):
    folder = write_series(tmp_path / "ct", edit=lambda header, k: with_values(InstanceNumber=99 - k)(header, k))
    files = sorted(folder.iterdir())
    for k, file in enumerate(np.random.default_rng(0).permutation(files)):
        Path(file).rename(folder / f"x{k}.dcm")
    np.testing.assert_array_equal(read_ct(folder).array, body())


def test_metal_keeps_its_value(tmp_path):
    hu = body()
    hu[5, 8, 10] = 5892
    assert read_ct(write_series(tmp_path / "ct", hu)).array.max() == 5892


def test_below_minus_1024_is_air(tmp_path):
    hu = body()
    hu[:, 0, :] = -2048
    hu[:, -1, :] = -3024
    array = read_ct(write_series(tmp_path / "ct", hu, signed=True)).array
    assert (array[:, [0, -1]] == -1024).all()


@pytest.mark.parametrize("limit", [None, 20])
def test_padding_inside_the_hu_range_is_air_outside_the_patient_only(tmp_path, limit):
    hu = body()
    hu[:, :2, :] = 7 if limit is None else 15
    hu[6, 8, 10] = 7  # tissue that happens to have the padding's value
    padding = {"PixelPaddingValue": 7} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})

    def edit(header, k):
        for keyword, value in padding.items():
            header.add_new(keyword, "SS", value)

    array = read_ct(write_series(tmp_path / "ct", hu, signed=True, intercept=0, edit=edit)).array
    assert (array[:, :2] == -1024).all()
    np.testing.assert_array_equal(array[1:-1, 2:], hu[1:-1, 2:])


def test_padding_in_more_bits_than_are_stored(tmp_path):
    def edit(header, k):
        stored = np.frombuffer(header.PixelData, np.uint16).reshape(16, 20).copy()
        stored[0] = 63536  # -2000 in 16 bits; its lower 12 bits would be bone
        header.PixelData, header.BitsStored, header.HighBit = stored.tobytes(), 12, 11
        header.add_new("PixelPaddingValue", "US", 63536)

    assert (read_ct(write_series(tmp_path / "ct", edit=edit)).array[:, 0] == -1024).all()


def test_overlay_bits_are_no_density(tmp_path):
    def edit(header, k):
        stored = np.frombuffer(header.PixelData, np.uint16) | 0x8000
        header.PixelData, header.BitsStored, header.HighBit = stored.tobytes(), 12, 11

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=edit)).array, body())


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_slices(tmp_path, syntax):
    hu = body(12, 64, 64)  # JPEG 2000 wants room for its wavelets

    def edit(header, k):
        header.compress(syntax, generate_instance_uid=False)

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", hu, edit=edit)).array, hu)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("signed", [False, True])
def test_uncompressed_transfer_syntaxes(tmp_path, syntax, signed):
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", signed=signed, syntax=syntax)).array, body())


def test_gdcm_decodes_nothing_even_where_it_is_installed(tmp_path, monkeypatch):
    """Left to itself pydicom tries the plug-ins by name, and gdcm is before pylibjpeg."""
    called = []
    for syntax in (JPEGLosslessSV1, JPEG2000Lossless):
        decoder = get_decoder(syntax)
        trap = {"gdcm": lambda src, runner: called.append(src) or b"", **decoder._available}
        monkeypatch.setattr(decoder, "_available", trap)
    read_ct(write_series(tmp_path / "ct", edit=to_jpeg_lossless))
    assert not called


def test_jpeg_lossless_slices(tmp_path):
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=to_jpeg_lossless)).array, body())


def test_zip_and_folder_read_the_same_and_nothing_is_unpacked(tmp_path):
    folder = write_series(tmp_path / "ct")
    (folder / "LICENSE").write_text("free")
    (folder / "069.xml").write_text("<xml/>")
    (folder / "._0001.dcm").write_bytes(b"left by a file manager")
    path = zipped(folder, tmp_path / "ct.zip")
    np.testing.assert_array_equal(read_ct(path).array, read_ct(folder).array)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ct", "ct.zip"]


def test_folder_of_folders(tmp_path):
    write_series(tmp_path / "patient" / "study" / "ct")
    np.testing.assert_array_equal(read_ct(tmp_path / "patient").array, body())


def test_largest_series_is_taken_and_the_other_is_named(tmp_path, capsys):
    write_series(tmp_path / "ct", body(14), uid="1.2.14")
    write_series(tmp_path / "more", body(12), uid="1.2.12")
    for file in (tmp_path / "more").iterdir():
        file.rename(tmp_path / "ct" / f"more{file.name}")
    assert len(read_ct(tmp_path / "ct").array) == 14
    assert capsys.readouterr().err.count("1.2.12") == 1
    assert len(read_ct(tmp_path / "ct", "1.2.12").array) == 12
    with pytest.raises(InputError, match=r"ct: no CT series 1\.2\.99; there are 1\.2\.14, 1\.2\.12"):
        read_ct(tmp_path / "ct", "1.2.99")


def test_localizer_in_the_same_series_is_passed_over(tmp_path):
    localizer = at_slice(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    assert len(read_ct(write_series(tmp_path / "ct", edit=localizer)).array) == 11


def test_equal_slices_at_one_place_are_merged_and_said(tmp_path, capsys):
    folder = write_series(tmp_path / "ct")
    (folder / "again.dcm").write_bytes((folder / "0004.dcm").read_bytes())
    np.testing.assert_array_equal(read_ct(folder).array, body())
    assert "1 slices are there twice" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 2])
def test_of_few_unlike_slices_at_one_place_the_lower_instance_number_is_used(tmp_path, capsys, count):
    """As in LIDC-IDRI 0085, 0146, 0418, 0572 and 0979; pylidc, whose nodules others use, keeps the same one."""
    hu = body(40)
    folder = write_series(tmp_path / "ct", hu, uid="1.2.3")
    again = write_series(
        tmp_path / "again", hu + 50, uid="1.2.3", edit=lambda header, k: with_values(InstanceNumber=k + 1000)(header, k)
    )
    for k in range(count):
        (again / f"{k + 7:04}.dcm").rename(folder / f"000{k}-again.dcm")  # the first by name
    np.testing.assert_array_equal(read_ct(folder).array, hu)
    assert f"{count} slices are there twice with different pixels, at z = -9 mm" in capsys.readouterr().err


def test_small_holes_are_filled_at_their_true_places_and_said(tmp_path, capsys):
    """As LIDC-IDRI-0672 (three steps of 1.25 mm among 0.625) and 0514 (38 mm among 2 mm)."""
    z = np.arange(40.0)
    hu = np.full((40, 16, 20), -1000, np.int16)
    hu[:, 4:-4, 4:-4] = (10 * z)[:, None, None]
    read = read_ct(write_series(tmp_path / "ct", hu, step_mm=2.0, skip=[3, *range(10, 28), 35]))
    assert read.spacing_mm[2] == pytest.approx(2)
    np.testing.assert_allclose(read.array, hu, atol=1)
    printed = capsys.readouterr().err
    assert "slices are missing between z = -12 mm and z = 26 mm (0009.dcm, 0028.dcm), 38 mm apart" in printed
    assert "the largest of 3 holes: filled by interpolation" in printed


def test_the_limit_of_holes_is_the_callers(tmp_path):
    folder = write_series(tmp_path / "ct", skip=[5])
    assert len(read_ct(folder, max_hole_mm=6).array) == 12
    with pytest.raises(InputError, match=r"6 mm apart where others are 3 mm; volume.max_hole_mm is 5.9"):
        read_ct(folder, max_hole_mm=5.9)


def test_uneven_slices_keep_their_true_places(tmp_path, capsys):
    z = np.array([0, 3, 6, 9, 9.5, 12, 15, 18, 21, 24, 27, 30.0])
    hu = np.full((12, 16, 20), -1000, np.int16)
    hu[:, 4:-4, 4:-4] = (10 * z)[:, None, None]  # a ramp is kept by linear interpolation
    positions = np.stack([0 * z, 0 * z, z], axis=1)
    volume = read_ct(write_series(tmp_path / "ct", hu, positions_mm=positions))
    assert volume.spacing_mm[2] == pytest.approx(3)
    np.testing.assert_allclose(volume.array[:, 8, 10], 30 * np.arange(11), atol=1)
    assert "0.5 to 3 mm apart" in capsys.readouterr().err


def test_gantry_tilt_is_straightened(tmp_path, capsys):
    k = np.arange(12)
    upright = np.full((12, 40, 20), -1000, np.int16)
    upright[:, 20:26, 8:12] = 300  # a rod along the normal, at y = 40..50 mm
    leaning = np.stack([np.roll(image, -one, axis=0) for one, image in zip(k, upright, strict=True)])
    positions = np.stack([0 * k, 2.0 * k, 3.0 * k], axis=1)  # each slice starts 2 mm = one row further back
    volume = read_ct(write_series(tmp_path / "ct", leaning, positions_mm=positions))
    rod = volume.array == 300
    assert "gantry tilt of 33.7 degrees" in capsys.readouterr().err
    assert rod.sum() == 12 * 6 * 4
    assert rod[:, 20:26, 8:12].all()


def test_very_thick_slices_are_allowed_and_said(tmp_path, capsys):
    read_ct(write_series(tmp_path / "ct", step_mm=8))
    assert "8 mm apart: very thick" in capsys.readouterr().err
