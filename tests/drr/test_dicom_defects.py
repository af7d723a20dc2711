import zipfile

import numpy as np
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    MPEG2MPML,
)
import pytest

from drr.ct import sources
from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.series import at_slice, body, to_jpeg_lossless, with_values, write_series, zipped

BAD_SERIES = {
    "large hole": (
        {"hu": body(32), "skip": range(10, 24)},
        r"slices are missing between z = -3 mm and z = 42 mm \(0009.dcm, 0024.dcm\), 45 mm apart where others are 3 mm"
        r"; volume.max_hole_mm is 40",
    ),
    "two at one place": (
        {"edit": at_slice(5, ImagePositionPatient=[-10, -20, -18])},
        r"two different slices at z = -18 mm \(0004.dcm, 0005.dcm\)",
    ),
    "sideways": (
        {"edit": at_slice(5, ImagePositionPatient=[-4, -20, -15])},
        r"not in one line, 0005.dcm is \d\.\d mm beside",
    ),
    "two orientations": (
        {"edit": at_slice(5, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])},
        "two orientations .*0005.dcm",
    ),
    "no directions": ({"edit": with_values(ImageOrientationPatient=[1, 0, 0, 1, 0, 0])}, "no pair of directions"),
    "five slices": ({"hu": body(5)}, "5 CT slices are too few"),
    "two spacings": (
        {"edit": at_slice(5, PixelSpacing=[1, 1])},
        r"differ in pixel spacing, \(2.0, 1.5\) and \(1.0, 1.0\) mm",
    ),
    "no spacing": ({"edit": at_slice(5, PixelSpacing=None)}, "0005.dcm: PixelSpacing is missing"),
    "no position": ({"edit": at_slice(5, ImagePositionPatient=None)}, "0005.dcm: ImagePositionPatient is missing"),
    "no rescale": ({"edit": at_slice(5, RescaleSlope=None)}, "0005.dcm: RescaleSlope is missing"),
    "zero spacing": ({"edit": at_slice(5, PixelSpacing=[0, 1])}, "0005.dcm: .*PixelSpacing .* cannot be 0"),
    "no rows": ({"edit": at_slice(5, Rows=0)}, "0005.dcm: 0 x 20 pixels are no CT slice"),
    "rows promise too much": ({"edit": at_slice(5, Rows=3000)}, "0005.dcm: the file is cut short, 640 of 120000 bytes"),
    "colour": ({"edit": at_slice(5, SamplesPerPixel=3)}, "0005.dcm: pixels are not single values of 16 bits"),
    "bad uid": ({"uid": "../../etc"}, "0000.dcm: SeriesInstanceUID '../../etc' is no UID"),
    "X-ray": (
        {"edit": with_values(Modality="DX", SOPClassUID=DigitalXRayImageStorageForPresentation)},
        r"X-ray image, a CT is expected \(0000.dcm is DX",
    ),
    "MR": ({"edit": with_values(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")}, "no CT series, only MR"),
    "several frames": ({"edit": at_slice(5, Rows=8, NumberOfFrames=2)}, "0005.dcm: 2 frames in a file that is not Enh"),
    "endless frames": ({"edit": at_slice(5, NumberOfFrames=10**9)}, "0005.dcm: 1000000000 frames of 16 x 20 pixels"),
    "Enhanced CT without groups": (
        {"edit": with_values(SOPClassUID=EnhancedCTImageStorage)},
        "0000.dcm: 0 functional groups for 1 frames: the header is damaged",
    ),
    "absurd place": ({"edit": at_slice(5, ImagePositionPatient=[0, 0, 1e200])}, "0005.dcm: .* not that of a patient"),
    "absurd spacing": ({"edit": with_values(PixelSpacing=[1e9, 1])}, "0000.dcm: .* is not that of a patient"),
    "lying down": (
        {"positions_mm": np.arange(12)[:, None] * [500.0, 0, 3]},
        "slices move sideways more than along their normal",
    ),
    "tiny steps and holes": (
        {"hu": body(40, 512, 512), "positions_mm": np.cumsum([0.02] * 30 + [39.0] * 10)[:, None] * [0, 0, 1.0]},
        "slices at steps of 0.02 mm would be too many voxels",
    ),
    "absurd slope": ({"edit": at_slice(5, RescaleSlope=1e30)}, r"0005.dcm: RescaleSlope 1e\+30 .* is out of range"),
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
    file = write_series(tmp_path / "ct", edit=to_jpeg_lossless) / "0005.dcm"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"ct: 0005.dcm: the file is cut short inside its compressed pixels"):
        read_ct(tmp_path / "ct")


def test_damaged_compressed_pixels_are_named(tmp_path):
    file = write_series(tmp_path / "ct", edit=to_jpeg_lossless) / "0005.dcm"
    file.write_bytes(file.read_bytes().replace(b"\xff\xc3", b"\xff\xc9"))
    with pytest.raises(InputError, match=r"ct: 0005.dcm: pixels cannot be decoded"):
        read_ct(tmp_path / "ct")


@pytest.mark.parametrize(
    ("syntax", "message"), [(MPEG2MPML, "MPEG2.* cannot be decoded"), (DeflatedExplicitVRLittleEndian, "deflated")]
)
def test_transfer_syntaxes_that_are_not_read(tmp_path, syntax, message):
    def edit(header, k):
        to_jpeg_lossless(header, k)
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
