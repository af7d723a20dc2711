"""X-ray files: what is read, in which order, and what is refused."""

from pathlib import Path

import cv2
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
import pytest
import SimpleITK as sitk

from drr.errors import InputError
from dx2ct.predict.read import read_xray
from tests.fabricate import pa, write_dicom

RAMP = np.tile(np.arange(80, dtype=np.uint16) * 50, (70, 1))  # 0 .. 3950


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_are_read_as_they_are_stored(suffix: str, dtype: type, tmp_path: Path):
    if suffix == "jpg" and dtype == np.uint16:
        pytest.skip("JPEG has 8 bits")
    film = (pa() * np.iinfo(dtype).max).astype(dtype)
    path = tmp_path / f"film.{suffix}"
    assert cv2.imwrite(str(path), film, [cv2.IMWRITE_JPEG_QUALITY, 100])
    xray = read_xray(path)
    assert xray.kind == "film" and xray.pixels.dtype == np.float32
    np.testing.assert_allclose(xray.pixels, film, atol=4 if suffix == "jpg" else 0)


def test_grey_stored_in_three_channels_is_grey_and_a_photograph_is_not(tmp_path: Path):
    grey = (pa() * 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_xray(tmp_path / "grey.png").pixels, grey)
    photo = np.stack([grey, grey // 2, grey // 3], axis=2)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    with pytest.raises(InputError, match=r"photo\.png: a colour picture, not an X-ray"):
        read_xray(tmp_path / "photo.png")


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("tiny.png", (20, 20), "20 x 20 pixels: a chest X-ray has 64 to 8192 a side"),
        ("huge.png", (70, 20000), "20000 x 70 pixels"),
        ("even.png", (100, 100), "all pixels have the one value 7"),
    ],
)
def test_pictures_that_are_no_film_are_refused(name: str, shape: tuple[int, int], reason: str, tmp_path: Path):
    cv2.imwrite(str(tmp_path / name), np.full(shape, 7, np.uint8))
    with pytest.raises(InputError, match=reason):
        read_xray(tmp_path / name)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "mha", "dcm"])
def test_files_cut_short_are_refused(suffix: str, tmp_path: Path):
    path = tmp_path / f"film.{suffix}"
    film = (pa() * 255 + np.random.default_rng(0).integers(0, 9, pa().shape)).clip(0, 255)
    if suffix == "dcm":
        write_dicom(path, film.astype(np.uint16))
    elif suffix == "mha":
        sitk.WriteImage(sitk.GetImageFromArray(film.astype(np.float32)), str(path))
    else:
        cv2.imwrite(str(path), film.astype(np.uint8))
    read_xray(path)
    whole = path.read_bytes()
    for part in (0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(InputError, match=rf"film\.{suffix}: "):
            read_xray(path)


def test_dicom_is_windowed_before_it_is_inverted(tmp_path: Path):
    """Window 900 to 1100 of the rescaled values: inverted first, other pixels would be cut off."""
    film = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": [1000, 5], "WindowWidth": [200, 9]}
    write_dicom(tmp_path / "two.dcm", RAMP, **film)
    write_dicom(tmp_path / "one.dcm", RAMP, PhotometricInterpretation="MONOCHROME1", **film)
    two, one = read_xray(tmp_path / "two.dcm"), read_xray(tmp_path / "one.dcm")
    value = RAMP * 2.0 - 100
    expected = np.clip((value - 999.5) / 199 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2.1
    low, high = two.pixels.min(), two.pixels.max()
    np.testing.assert_allclose((two.pixels - low) / (high - low), expected, atol=1e-5)
    np.testing.assert_allclose(one.pixels, two.pixels.max() - two.pixels)
    assert one.facts["steps"] == ["rescale by 2 and -100", "window 1000/200, the first of 2", "MONOCHROME1 inverted"]


@pytest.mark.parametrize("implicit", [False, True])
def test_dicom_lookup_tables(implicit: bool, tmp_path: Path):
    stored = (RAMP // 50).astype(np.uint16)
    item = Dataset()
    item.LUTDescriptor, item.LUTExplanation = [80, 0, 16], ""
    table = (np.arange(80) ** 2).astype(np.uint16)
    item.add_new("LUTData", "OW", table.tobytes())
    path = tmp_path / "lut.dcm"
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    write_dicom(path, stored, syntax, VOILUTSequence=Sequence([item]), WindowCenter=5, WindowWidth=2)
    xray = read_xray(path)
    np.testing.assert_array_equal(xray.pixels, table[stored])
    assert "VOI LUT, the first of 1" in xray.facts["steps"]


@pytest.mark.parametrize(
    ("tags", "name", "spacing_mm"),
    [
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.3, 0.3]}, "ImagerPixelSpacing", 0.3),
        ({"PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"}, "PixelSpacing, FIDUCIAL", 0.2),
        ({"PixelSpacing": [0.2, 0.2]}, "PixelSpacing", 0.2),
        ({"ImagerPixelSpacing": [0.3, 0.3]}, "ImagerPixelSpacing", 0.3),
        ({}, None, None),
    ],
)
def test_spacing_says_where_it_comes_from(tags: dict, name: str | None, spacing_mm: float | None, tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", RAMP, **tags)
    xray = read_xray(tmp_path / "a.dcm")
    assert xray.facts["spacing_from"] == name and xray.facts["spacing_mm"] == (spacing_mm and [spacing_mm] * 2)
    in_patient = "FIDUCIAL" in str(name)
    assert xray.facts.get("spacing_at") == (name and ("patient" if in_patient else "detector"))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_dicom(syntax: str, tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", RAMP)
    file = dcmread(tmp_path / "a.dcm")
    try:
        file.compress(syntax)
    except (RuntimeError, ValueError, ImportError) as error:
        pytest.skip(f"no encoder here: {error}")
    file.save_as(tmp_path / "b.dcm")
    np.testing.assert_array_equal(read_xray(tmp_path / "b.dcm").pixels, RAMP)


def test_big_endian_and_padding(tmp_path: Path):
    stored = RAMP + 100
    stored[:5] = 4095
    write_dicom(tmp_path / "a.dcm", stored, PixelPaddingValue=4095)
    swapped = {"PixelPaddingValue": 4095, "PixelData": stored.astype(">u2").tobytes()}
    write_dicom(tmp_path / "b.dcm", stored, ExplicitVRBigEndian, **swapped)
    for name in ("a.dcm", "b.dcm"):
        pixels = read_xray(tmp_path / name).pixels
        assert (pixels[:5] == 100).all()
        np.testing.assert_array_equal(pixels[5:], stored[5:])


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"NumberOfFrames": 2}, "2 frames in one file"),
        ({"Modality": "CT", "SOPClassUID": CTImageStorage}, "modality CT, not an X-ray"),
        ({"PhotometricInterpretation": "RGB"}, "pixels are RGB"),
        ({"PixelSpacing": [0.02, 0.3]}, "pixels so far from square"),
        ({"Rows": 20000, "Columns": 20000}, "20000 x 20000 pixels"),
        ({"PixelData": None}, "cut short before its pixels|PixelData is missing"),
        ({"BitsStored": 17}, "8 and 16 are read"),
        ({"Rows": None}, "80 x 0 pixels"),
    ],
)
def test_dicom_that_is_no_single_film_is_refused(tags: dict, reason: str, tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", RAMP, **tags)
    with pytest.raises(InputError, match=rf"a\.dcm: .*({reason})"):
        read_xray(tmp_path / "a.dcm")


def test_other_files_are_refused(tmp_path: Path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "a.png").write_text("hello")
    (tmp_path / "a.dcm").write_text("hello")
    sitk.WriteImage(sitk.Image([64, 64, 8], sitk.sitkFloat32), str(tmp_path / "a.mha"))
    sitk.WriteImage(sitk.Image([64, 64], sitk.sitkInt16), str(tmp_path / "b.mha"))
    for name, reason in {
        "a.txt": "not an X-ray file",
        "a.png": "not a readable image",
        "a.dcm": "no DICM mark",
        "a.mha": "not a stack",
        "b.mha": "are no line integrals",
        "none.png": "cannot be read",
    }.items():
        with pytest.raises(InputError, match=f"{name}: .*{reason}"):
            read_xray(tmp_path / name)
