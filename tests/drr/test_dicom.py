from pathlib import Path
import zipfile

import numpy as np
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    MPEG2MPML,
    RLELossless,
)
import pytest

from drr.ct import sources
from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.jpeg_lossless import encode
from tests.drr.series import body, write_series, zipped


def _set(**values):
    def edit(header, k):
        for keyword, value in values.items():
            setattr(header, keyword, value)

    return edit


def _at(index, **values):
    return lambda header, k: _set(**values)(header, k) if k == index else None


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
    folder = write_series(tmp_path / "ct", edit=lambda header, k: _set(InstanceNumber=99 - k)(header, k))
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


def _to_jpeg_lossless(header, k):
    from pydicom.encaps import encapsulate

    stored = np.frombuffer(header.PixelData, np.uint16).reshape(header.Rows, header.Columns)
    header.PixelData = encapsulate([encode(stored)])
    header["PixelData"].VR = "OB"
    header.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def test_jpeg_lossless_slices(tmp_path):
    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=_to_jpeg_lossless)).array, body())


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
    localizer = _at(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    assert len(read_ct(write_series(tmp_path / "ct", edit=localizer)).array) == 11


def test_equal_slices_at_one_place_are_merged_and_said(tmp_path, capsys):
    folder = write_series(tmp_path / "ct")
    (folder / "again.dcm").write_bytes((folder / "0004.dcm").read_bytes())
    np.testing.assert_array_equal(read_ct(folder).array, body())
    assert "1 slices are there twice" in capsys.readouterr().err


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


BAD_SERIES = {
    "missing slice": ({"skip": [5]}, r"slices are missing between z = -18 mm and z = -12 mm \(0004.dcm, 0006.dcm\)"),
    "two at one place": (
        {"edit": _at(5, ImagePositionPatient=[-10, -20, -18])},
        r"two different slices at z = -18 mm \(0004.dcm, 0005.dcm\)",
    ),
    "sideways": (
        {"edit": _at(5, ImagePositionPatient=[-4, -20, -15])},
        r"not in one line, 0005.dcm is \d\.\d mm beside",
    ),
    "two orientations": ({"edit": _at(5, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])}, "two orientations .*0005.dcm"),
    "no directions": ({"edit": _set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0])}, "no pair of directions"),
    "five slices": ({"hu": body(5)}, "5 CT slices are too few"),
    "two spacings": (
        {"edit": _at(5, PixelSpacing=[1, 1])},
        r"differ in pixel spacing, \(2.0, 1.5\) and \(1.0, 1.0\) mm",
    ),
    "no spacing": ({"edit": _at(5, PixelSpacing=None)}, "0005.dcm: PixelSpacing is missing"),
    "no position": ({"edit": _at(5, ImagePositionPatient=None)}, "0005.dcm: ImagePositionPatient is missing"),
    "no rescale": ({"edit": _at(5, RescaleSlope=None)}, "0005.dcm: RescaleSlope is missing"),
    "zero spacing": ({"edit": _at(5, PixelSpacing=[0, 1])}, "0005.dcm: .*PixelSpacing .* cannot be 0"),
    "no rows": ({"edit": _at(5, Rows=0)}, "0005.dcm: 0 x 20 pixels are no CT slice"),
    "rows promise too much": ({"edit": _at(5, Rows=3000)}, "0005.dcm: the file is cut short, 640 of 120000 bytes"),
    "colour": ({"edit": _at(5, SamplesPerPixel=3)}, "0005.dcm: pixels are not single values of 16 bits"),
    "bad uid": ({"uid": "../../etc"}, "0000.dcm: SeriesInstanceUID '../../etc' is no UID"),
    "X-ray": (
        {"edit": _set(Modality="DX", SOPClassUID=DigitalXRayImageStorageForPresentation)},
        r"X-ray image, a CT is expected \(0000.dcm is DX",
    ),
    "MR": ({"edit": _set(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")}, "no CT series, only MR"),
    "multi-frame": ({"edit": _set(SOPClassUID=EnhancedCTImageStorage)}, "0000.dcm: multi-frame .* convert it to NIfTI"),
    "no air": ({"hu": np.abs(body()) + 1}, "are not HU, no air in it"),
    "air alone": ({"hu": np.minimum(body(), -600)}, "are air alone"),
}


@pytest.mark.parametrize("name", BAD_SERIES)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_bad_series_are_refused_in_one_line(tmp_path, name):
    arguments, message = BAD_SERIES[name]
    folder = write_series(tmp_path / "ct", **arguments)
    with pytest.raises(InputError, match=message) as caught:
        read_ct(folder)
    assert str(caught.value).startswith(f"{folder}: ")
    assert "\n" not in str(caught.value)


def test_two_matrices_are_refused(tmp_path):
    folder = write_series(tmp_path / "ct", uid="1.2.3")
    write_series(tmp_path / "other", body(12, 18, 20), uid="1.2.3")
    (tmp_path / "other" / "0003.dcm").rename(folder / "0003.dcm")
    with pytest.raises(InputError, match=r"ct: slices of one series differ in size, 16 x 20 and 18 x 20 .*0003.dcm"):
        read_ct(folder)


@pytest.mark.parametrize(
    ("keep", "message"), [(0, "no DICM mark"), (200, "0005.dcm"), (-1, "cut short"), (-400, "cut short")]
)
def test_truncated_file_is_named(tmp_path, keep, message):
    file = write_series(tmp_path / "ct") / "0005.dcm"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=rf"ct: 0005.dcm: .*{message}|ct: {message}: "):
        read_ct(tmp_path / "ct")


def test_truncated_compressed_file_is_named(tmp_path):
    file = write_series(tmp_path / "ct", edit=_to_jpeg_lossless) / "0005.dcm"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"ct: 0005.dcm: the file is cut short inside its compressed pixels"):
        read_ct(tmp_path / "ct")


def test_damaged_compressed_pixels_are_named(tmp_path):
    file = write_series(tmp_path / "ct", edit=_to_jpeg_lossless) / "0005.dcm"
    file.write_bytes(file.read_bytes().replace(b"\xff\xc3", b"\xff\xc9"))
    with pytest.raises(InputError, match=r"ct: 0005.dcm: pixels cannot be decoded"):
        read_ct(tmp_path / "ct")


@pytest.mark.parametrize(
    ("syntax", "message"), [(MPEG2MPML, "MPEG2.* cannot be decoded"), (DeflatedExplicitVRLittleEndian, "deflated")]
)
def test_transfer_syntaxes_that_are_not_read(tmp_path, syntax, message):
    def edit(header, k):
        _to_jpeg_lossless(header, k)
        header.file_meta.TransferSyntaxUID = syntax

    with pytest.raises(InputError, match=f"ct: 0000.dcm: .*{message}"):
        read_ct(write_series(tmp_path / "ct", edit=edit))


def test_cts_of_two_patients_need_a_name(tmp_path):
    folder = write_series(tmp_path / "ct", uid="1.2.1")
    for file in write_series(tmp_path / "b", uid="1.2.2", patient="P2").iterdir():
        file.rename(folder / f"b{file.name}")
    with pytest.raises(InputError, match=r"CTs of 2 patients: name one of the series 1\.2\.1, 1\.2\.2"):
        read_ct(folder)
    assert read_ct(folder, "1.2.2").array.shape == body().shape


@pytest.mark.parametrize("name", ["../x.dcm", "a/../../x.dcm", "/etc/x.dcm", "..\\x.dcm", "C:\\x.dcm", "c:x.dcm"])
def test_zip_with_a_path_outside_itself_is_refused(tmp_path, name):
    path = zipped(write_series(tmp_path / "ct"), tmp_path / "ct.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(InputError, match=r"ct.zip: the zip holds a path outside itself"):
        read_ct(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ct", "ct.zip"]


def test_zip_with_a_link_is_refused(tmp_path):
    path = zipped(write_series(tmp_path / "ct"), tmp_path / "ct.zip")
    link = zipfile.ZipInfo("0099.dcm")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"ct.zip: the zip holds a link, '0099.dcm'"):
        read_ct(path)


def test_zip_bombs_are_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.dcm", bytes(10**6))
        archive.writestr("1.dcm", bytes(10**6))
    for limit, value in {
        "MAX_FILES": 1,
        "MAX_FILE_BYTES": 10**5,
        "MAX_ZIP_BYTES": 10**6,
        "RATIO_COUNTS_ABOVE_BYTES": 10**6,
    }.items():
        with monkeypatch.context() as patch, pytest.raises(InputError, match=r"bomb.zip: the zip (holds|unpacks)"):
            patch.setattr(sources, limit, value)
            read_ct(path)


def test_zip_with_a_name_twice_is_refused(tmp_path):
    path = zipped(write_series(tmp_path / "ct"), tmp_path / "ct.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("0001.dcm", b"")
    with pytest.raises(InputError, match=r"ct.zip: .*two entries of one name"):
        read_ct(path)


def test_damaged_zips_are_refused(tmp_path):
    path = zipped(write_series(tmp_path / "ct"), tmp_path / "ct.zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"ct.zip: not a readable zip"):
        read_ct(path)
    path.write_text("<html>404</html>")
    with pytest.raises(InputError, match=r"ct.zip: not a readable zip"):
        read_ct(path)
    damaged = bytearray(whole)
    damaged[300:600] = bytes(300)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"ct.zip: 0000.dcm: "):
        read_ct(path)


def test_what_is_no_ct_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "film.png").write_bytes(b"\x89PNG")
    slice_file = write_series(tmp_path / "ct") / "0003.dcm"
    for path, message in {
        tmp_path / "nowhere": "no such file or folder",
        tmp_path / "empty": "empty",
        tmp_path / "notes.txt": "no CT: give a DICOM folder or zip",
        tmp_path / "film.png": "X-ray image or another picture, a CT is expected",
        slice_file: "1 CT slices are too few",
    }.items():
        with pytest.raises(InputError, match=f"{path.name}: {message}"):
            read_ct(path)


def test_mutated_files_end_in_an_input_error_or_a_volume(tmp_path):
    """Random damage to a header: pydicom may fail in any way, the user sees one line."""
    folder = write_series(tmp_path / "ct")
    whole = (folder / "0005.dcm").read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(132, len(whole) - 640, size=rng.integers(1, 6)):
            damaged[at] = rng.integers(256)
        (folder / "0005.dcm").write_bytes(damaged)
        try:
            read_ct(folder)
            outcomes.add("volume")
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"volume", "refused"}
