"""DICOM films whose headers lie, leave out or say in an unusual way: what the pixels are."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DigitalXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
import pytest

from drr.errors import InputError
from dx2ct.predict.read import read_xray
from dx2ct.predict.xray import Xray
from tests.fabricate import pa, under_another_syntax, write_dicom

FILM = (pa() * 4000 + np.arange(160) % 7).astype(np.uint16)  # 12 bits


def read(path: Path, stored: np.ndarray = FILM, syntax: str = ExplicitVRLittleEndian, **tags: Any) -> Xray:
    """The film of these stored values and tags, as it is read."""
    write_dicom(path / "a.dcm", stored, syntax, **tags)
    return read_xray(path / "a.dcm")


def like_it_was_meant(xray: Xray, film: np.ndarray = FILM, sign: int = 1) -> None:
    """The grey values up to a factor and a constant, as a film's unit is none."""
    film = sign * film.astype(float)
    got = (xray.pixels - xray.pixels.min()) / np.ptp(xray.pixels)
    np.testing.assert_allclose(got, (film - film.min()) / np.ptp(film), atol=1e-5)


# ---- where the pixels are


@pytest.mark.parametrize("trailing", [0, 1, 4, 8, 200])
@pytest.mark.parametrize(
    ("written", "said"),
    [
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        (ImplicitVRLittleEndian, None),
        (ExplicitVRLittleEndian, None),
        (ExplicitVRLittleEndian, ExplicitVRLittleEndian),
    ],
)
def test_pixels_begin_where_their_own_element_says(written: str, said: str | None, trailing: int, tmp_path: Path):
    path = tmp_path / "a.dcm"
    write_dicom(path, FILM, written)
    under_another_syntax(path, said)
    path.write_bytes(path.read_bytes() + b"\x7f" * trailing)
    xray = read_xray(path)
    np.testing.assert_array_equal(xray.pixels, FILM)
    assert any("TransferSyntaxUID is missing" in note for note in xray.notes) == (said is None)


@pytest.mark.parametrize(
    ("written", "said", "reason"),
    [
        (ExplicitVRLittleEndian, JPEG2000Lossless, "uncompressed pixels under the transfer syntax JPEG 2000"),
        (
            ExplicitVRLittleEndian,
            "1.2.840.10008.5.1.4.1.1.2",
            "TransferSyntaxUID 1.2.840.10008.5.1.4.1.1.2 is not known",
        ),
        (ExplicitVRLittleEndian, "1.2.3.4.5", "TransferSyntaxUID 1.2.3.4.5 is not known"),
    ],
)
def test_a_syntax_that_cannot_be_has_its_reason(written: str, said: str, reason: str, tmp_path: Path):
    write_dicom(tmp_path / "a.dcm", FILM, written)
    under_another_syntax(tmp_path / "a.dcm", said)
    with pytest.raises(InputError, match=rf"a\.dcm: {reason}"):
        read_xray(tmp_path / "a.dcm")


def test_a_class_in_the_file_meta_alone_is_enough(tmp_path: Path):
    np.testing.assert_array_equal(read(tmp_path, SOPClassUID=None, Modality="").pixels, FILM)


@pytest.mark.parametrize("high", [11, 13, 15])
def test_high_bit(high: int, tmp_path: Path):
    """12 bits anywhere in 16; what lies below or above them is no pixel."""
    stored = FILM << (high - 11)
    xray = read(tmp_path, stored, BitsStored=12, HighBit=high)
    np.testing.assert_array_equal(xray.pixels, FILM)
    assert any("HighBit" in step for step in xray.facts["steps"]) == (high != 11)
    noisy = read(tmp_path, stored | (0x8000 if high < 15 else 0x0001), BitsStored=12, HighBit=high)
    np.testing.assert_array_equal(noisy.pixels, FILM)


def test_a_high_bit_that_no_pixel_uses_is_wrong(tmp_path: Path):
    xray = read(tmp_path, FILM, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(xray.pixels, FILM)
    assert any("HighBit 15 is wrong" in note for note in xray.notes)
    with pytest.raises(InputError, match="HighBit 5 cannot be of 12 bits"):
        read(tmp_path, FILM, BitsStored=12, HighBit=5)


# ---- padding


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("as_written", ["US", "SS"])
def test_padding_of_either_sign_is_no_image(syntax: str, signed: bool, as_written: str, tmp_path: Path):
    stored = FILM.astype(np.int16)
    stored[:, :20] = -2000
    pad = Dataset()
    pad.add_new("PixelPaddingValue", as_written, -2000 if as_written == "SS" else 63536)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = stored.astype(f"{order}i2").tobytes()
    write_dicom(tmp_path / "a.dcm", stored, syntax, PixelRepresentation=int(signed), PixelData=data)
    file = dcmread(tmp_path / "a.dcm")
    file.add(pad["PixelPaddingValue"])
    file.save_as(tmp_path / "a.dcm")
    xray = read_xray(tmp_path / "a.dcm")
    assert xray.blank is not None and xray.blank[:, :20].all() and not xray.blank[:, 20:].any()
    np.testing.assert_array_equal(xray.pixels[:, 20:], FILM[:, 20:])
    assert any("padding" in step for step in xray.facts["steps"])


def test_padding_may_be_wider_than_the_bits_in_use(tmp_path: Path):
    stored = FILM.copy()
    stored[:9] = 0xFFFF
    xray = read(tmp_path, stored, BitsStored=12, HighBit=11, PixelPaddingValue=0xFFFF)
    assert xray.blank is not None and xray.blank[:9].all() and not xray.blank[9:].any()


def test_grey_of_the_patient_is_no_padding(tmp_path: Path):
    """A padding value that the patient has as well makes no hole, and is said."""
    stored = FILM.copy()
    stored[:30], stored[100:110, 50:70] = 2000, 2000
    stored[stored == 2001] = 2002
    inside = int((stored[30:] == 2000).sum())
    xray = read(tmp_path, stored, PixelPaddingValue=2000)
    assert xray.blank is not None and xray.blank[:30].all() and not xray.blank[40:].any()
    assert (xray.pixels[100:110, 50:70] == 2000).all()
    assert f"PixelPaddingValue 2000 is inside the image, too (pixels: {inside})" in xray.notes[0]
    assert "padding 2000 made air" in xray.facts["steps"]
    stored[:30] = 10
    alone = read(tmp_path, stored, PixelPaddingValue=2000)
    assert alone.blank is None and not any("padding" in step for step in alone.facts["steps"])


# ---- signs and bits that are not as the header says

SMOOTH = (pa() * 0.5 + np.linspace(0, 0.5, 160)) * 4095


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("noise", [0, 40])
def test_a_sign_that_values_do_not_have_is_not_believed(bits: int, noise: int, tmp_path: Path):
    film = SMOOTH + np.random.default_rng(0).normal(0, noise, SMOOTH.shape)
    film[:20, :20] = np.indices((20, 20)).sum(0) % 2 * 4095  # a marker, black and white
    stored = (film.clip(0, 4095) * (1 if bits == 12 else 16)).astype(np.uint16)
    xray = read(tmp_path, stored, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1)
    np.testing.assert_array_equal(xray.pixels, stored)
    assert xray.notes[0].startswith("PixelRepresentation says that values have a sign, and grey runs on")


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("extended", [False, True])
def test_a_sign_that_values_have_is_believed(bits: int, extended: bool, tmp_path: Path):
    """Of 12 bits with zeros above them, or with the sign, also beside a marker that is black and white."""
    film = SMOOTH.copy()
    film[:20, :20] = np.indices((20, 20)).sum(0) % 2 * 4095
    meant = ((film - 2048) * (1 if bits == 12 else 16)).astype(np.int16)
    stored = meant.view(np.uint16) if extended or bits == 16 else meant.view(np.uint16) & 0xFFF
    xray = read(tmp_path, stored, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1)
    np.testing.assert_array_equal(xray.pixels, meant)
    assert xray.notes == ()


@pytest.mark.parametrize("bits", [8, 10, 11])
def test_bits_above_those_stored_are_grey_where_it_runs_on_in_them(bits: int, tmp_path: Path):
    """And none where they are an overlay's: a chequerboard, or letters."""
    xray = read(tmp_path, SMOOTH.astype(np.uint16), BitsStored=bits, HighBit=bits - 1)
    np.testing.assert_array_equal(xray.pixels, SMOOTH.astype(np.uint16))
    assert xray.notes[0].startswith(f"BitsStored {bits} is too small, grey runs on in the bits above")
    narrow = (SMOOTH / 2 ** (12 - bits)).astype(np.uint16)
    rows, columns = np.indices(narrow.shape)
    for overlay in ((rows + columns) % 2, (rows // 9 % 3 == 0) & (columns // 7 % 2), np.ones(narrow.shape, int)):
        stored = narrow | (overlay.astype(np.uint16) << bits)
        xray = read(tmp_path, stored, BitsStored=bits, HighBit=bits - 1)
        np.testing.assert_array_equal(xray.pixels, narrow)
        assert xray.notes == ()


# ---- grey values


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"WindowCenter": 2048, "WindowWidth": 0}, "window 2048/0 is none"),
        ({"WindowCenter": 2048, "WindowWidth": -4096}, "window 2048/-4096 is none"),
        ({"WindowCenter": 2048, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"}, "window 2048/0 is none"),
        ({"WindowCenter": 2048, "WindowWidth": 0.5}, "its width must be 1 or more"),
        ({"WindowCenter": 90000, "WindowWidth": 2}, "window 90000/2 leaves one grey value"),
        ({"RescaleIntercept": -1000}, "RescaleSlope is missing or empty"),
        ({"RescaleSlope": 3}, "RescaleIntercept is missing or empty"),
        ({"RescaleSlope": "", "RescaleIntercept": -5}, "RescaleSlope is missing or empty"),
        ({"RescaleSlope": "", "RescaleIntercept": ""}, None),
        ({"WindowCenter": "", "WindowWidth": ""}, None),
        ({}, None),
    ],
)
def test_what_is_no_step_is_left_out_and_not_recorded(tags: dict[str, Any], said: str | None, tmp_path: Path):
    xray = read(tmp_path, **tags)
    np.testing.assert_array_equal(xray.pixels, FILM)
    assert xray.facts["steps"] == ["no rescale", "no VOI LUT and no window: percentiles alone"]
    assert any(said in note for note in xray.notes) if said else not any("left out" in note for note in xray.notes)


def test_the_first_window_that_is_one_is_used(tmp_path: Path):
    xray = read(tmp_path, WindowCenter=[10, 2000, 7], WindowWidth=[0, 2000, 5], VOILUTFunction="LINEAR_EXACT")
    like_it_was_meant(xray, np.clip(FILM.astype(int), 1000, 3000))
    assert "window 2000/2000, number 2 of 3" in xray.facts["steps"]


def test_a_window_after_a_negative_slope_keeps_the_slope_s_sign(tmp_path: Path):
    tags = {"RescaleSlope": -1, "RescaleIntercept": 4095, "WindowCenter": 2048, "WindowWidth": 5000}
    like_it_was_meant(read(tmp_path, 4095 - FILM, **tags))


def test_a_slope_of_zero_has_its_reason(tmp_path: Path):
    with pytest.raises(InputError, match="RescaleSlope is 0"):
        read(tmp_path, RescaleSlope=0, RescaleIntercept=0)


def lookup(table: np.ndarray, bits: int, first: int = 0, words: bool = True) -> Sequence:
    """One item with a table."""
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [len(table) % 2**16, first, bits], "US"
    item.add_new("LUTData", "OW", table.astype("<u2" if words else "u1").tobytes())
    return Sequence([item])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(("bits", "words"), [(8, True), (8, False), (10, True), (12, True), (16, True)])
def test_tables_of_any_depth(syntax: str, keyword: str, bits: int, words: bool, tmp_path: Path):
    """Entries of 8 to 16 bits for values of 12, falling as the stored values of this film do."""
    table = (np.arange(4096)[::-1] >> 4 if bits == 8 else np.arange(4096)[::-1] >> max(12 - bits, 0)).astype(np.uint16)
    stored = 4095 - FILM
    xray = read(tmp_path, stored, syntax, **{keyword: lookup(table, bits, words=words)})
    like_it_was_meant(xray, table[stored])
    steps = {"ModalityLUTSequence": "modality LUT", "VOILUTSequence": "VOI LUT, the first of 1"}
    assert steps[keyword] in xray.facts["steps"]


def test_a_table_s_first_value_may_be_negative(tmp_path: Path):
    table = (np.arange(4096) ** 2 >> 9).astype(np.uint16)
    stored = FILM.astype(np.int16) - 2048
    for kind, first in (("SS", -2048), ("US", 63488)):
        sequence = lookup(table, 16)
        sequence[0].add_new("LUTDescriptor", kind, [4096, first, 16])
        xray = read(tmp_path, stored.view(np.uint16), ModalityLUTSequence=sequence, PixelRepresentation=1)
        like_it_was_meant(xray, table[FILM])
    with pytest.raises(InputError, match="lookup table holds 2048 of 4096 entries"):
        short = lookup(table, 16)
        short[0].LUTData = table[:1024].tobytes()
        read(tmp_path, FILM, ModalityLUTSequence=short)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("sign", [1, -1])
def test_raw_detector_values_have_bone_where_their_sign_says(photometric: str, sign: int, tmp_path: Path):
    raw = {"SOPClassUID": DigitalXRayImageStorageForProcessing, "PixelIntensityRelationshipSign": sign}
    stored = 4095 - FILM if sign == 1 else FILM
    xray = read(tmp_path, stored, PhotometricInterpretation=photometric, PixelIntensityRelationship="LOG", **raw)
    like_it_was_meant(xray)
    assert (f"PixelIntensityRelationshipSign {sign} inverted" in xray.facts["steps"]) == (sign == 1)
    assert any("For Processing" in note for note in xray.notes)


def test_intensities_become_line_integrals(tmp_path: Path):
    """Beer and Lambert: the logarithm of what a linear detector measured is the line integral."""
    integrals = FILM / 1000.0
    stored = np.rint(60000 * np.exp(-integrals)).astype(np.uint16)
    tags = {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}
    xray = read(tmp_path, stored, PresentationIntentType="FOR PROCESSING", **tags)
    np.testing.assert_allclose(xray.pixels, integrals - integrals.min(), atol=1e-3)


@pytest.mark.parametrize(
    ("photometric", "sign", "agree"),
    [("MONOCHROME2", -1, True), ("MONOCHROME2", 1, False), ("MONOCHROME1", 1, True), ("MONOCHROME1", -1, False)],
)
def test_of_a_film_to_be_looked_at_the_sign_only_warns(photometric: str, sign: int, agree: bool, tmp_path: Path):
    xray = read(tmp_path, PhotometricInterpretation=photometric, PixelIntensityRelationshipSign=sign)
    like_it_was_meant(xray, sign=-1 if photometric == "MONOCHROME1" else 1)
    assert any("--invert" in note and "contradicts" in note for note in xray.notes) != agree


# ---- places


@pytest.mark.parametrize(
    ("tags", "size", "spacing"),
    [
        ({"PixelAspectRatio": [2, 1]}, (400, 160), None),
        ({"PixelAspectRatio": [1, 2]}, (200, 320), None),
        ({"PixelAspectRatio": [1, 1]}, (200, 160), None),
        ({"PixelSpacing": [0.3, 0.2]}, (300, 160), [0.2, 0.2]),
        ({"ImagerPixelSpacing": [0.1, 0.2], "PixelAspectRatio": [1, 2]}, (200, 320), [0.1, 0.1]),
        ({"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]}, (200, 160), [0.2, 0.2]),
    ],
)
def test_pixels_are_made_square(tags: dict[str, Any], size: tuple[int, int], spacing: Any, tmp_path: Path):
    xray = read(tmp_path, **tags)
    assert xray.pixels.shape == size and xray.facts["spacing_mm"] == spacing
    assert any("made square" in step for step in xray.facts["steps"]) == (size != (200, 160))
    contradicts = spacing == [0.2, 0.2] and "PixelAspectRatio" in tags
    assert any("contradicts PixelSpacing" in note for note in xray.notes) == contradicts
    for row in (0, 1):  # a ramp stays one, at the same place in the image
        index = np.indices((200, 160))[row].astype(np.uint16)
        ramp = read(tmp_path, index, **tags).pixels
        middle = [side // 2 for side in size]
        assert abs(ramp[middle[0], middle[1]] - FILM.shape[row] / 2) < 1


def test_what_is_outside_shutters_is_no_image(tmp_path: Path):
    y, x = np.mgrid[1:201, 1:161]
    rectangle = {"LeftVerticalEdge": 41, "RightVerticalEdge": 121, "UpperHorizontalEdge": 1, "LowerHorizontalEdge": 180}
    circle, triangle = [100, 80], [1, 1, 1, 160, 200, 80]
    for mask in ("Shutter", "Collimator"):
        for tags, inside in (
            ({f"{mask}Shape": "RECTANGULAR"} | {f"{mask}{k}": v for k, v in rectangle.items()},
             (x > 41) & (x < 121) & (y < 180)),
            ({f"{mask}Shape": "CIRCULAR", f"CenterOfCircular{mask}": circle, f"RadiusOfCircular{mask}": 60},
             (y - 100) ** 2 + (x - 80) ** 2 <= 60**2),
            ({f"{mask}Shape": "POLYGONAL", f"VerticesOfThePolygonal{mask}": triangle},
             (y - 1) / 199 <= np.minimum((x - 1) / 79, (160 - x) / 80)),
        ):  # fmt: skip
            xray = read(tmp_path, np.where(inside, FILM, 4095).astype(np.uint16), **tags)
            assert xray.blank is not None and np.mean(xray.blank == inside) < 0.01
            assert any(mask.lower() in step for step in xray.facts["steps"])
    both = {"ShutterShape": ["RECTANGULAR", "CIRCULAR"], "CenterOfCircularShutter": circle}
    both |= {"RadiusOfCircularShutter": 60} | {f"Shutter{k}": v for k, v in rectangle.items()}
    inside = (x > 41) & (x < 121) & (y < 180) & ((y - 100) ** 2 + (x - 80) ** 2 <= 60**2)
    np.testing.assert_array_equal(read(tmp_path, **both).blank, ~inside)


@pytest.mark.parametrize(
    "tags",
    [
        {"ShutterShape": "RECTANGULAR"},
        {"ShutterShape": "BITMAP"},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [1, 1], "RadiusOfCircularShutter": 0},
        {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 100, "ShutterRightVerticalEdge": 20,
         "ShutterUpperHorizontalEdge": 1, "ShutterLowerHorizontalEdge": 200},
    ],
)  # fmt: skip
def test_a_shutter_that_leaves_nothing_or_is_not_whole_is_none(tags: dict[str, Any], tmp_path: Path):
    xray = read(tmp_path, **tags)
    assert xray.blank is None and not any("shutter" in step for step in xray.facts["steps"])


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"PatientOrientation": ["L"]}, "--flip, --rotate"),
        ({"PatientOrientation": ["UNKNOWN", "X"]}, "--flip, --rotate"),
        ({"FieldOfViewHorizontalFlip": "YES"}, "--flip"),
        ({"FieldOfViewRotation": 90}, "--rotate"),
    ],
)
def test_what_leaves_the_sides_open_is_a_warning(tags: dict[str, Any], reason: str, tmp_path: Path):
    xray = read(tmp_path, **tags)
    assert xray.directions is None and any(reason in note for note in xray.notes)
    said = read(tmp_path, **tags | {"PatientOrientation": ["R", "F"]})
    assert said.directions == ("R", "F") and not any(reason in note for note in said.notes)
