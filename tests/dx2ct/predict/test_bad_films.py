"""Films that are none, or not what they are given as: each is said, and why."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
import pytest

from dx2ct.predict.film_header import notes_of_header, said_bedside
from dx2ct.predict.framed import Framed
from dx2ct.predict.prepared import of_one_patient
from dx2ct.predict.read import read_xray
from dx2ct.predict.view import turned_for
from dx2ct.predict.xray import Xray
from tests.fabricate import pa, write_dicom

CURE = "cut the film out with --crop, or better export it from its DICOM file"
FRONT = "taken from the front, so that the heart is larger"


def header(**elements: Any) -> Dataset:
    found = Dataset()
    for name, value in elements.items():
        setattr(found, name, value)
    return found


def film(path: Path, **elements: Any) -> Xray:
    return read_xray(write_dicom(path, (pa() * 4000).astype("uint16"), **elements) or path)


@pytest.mark.parametrize(
    ("elements", "lines"),
    [
        ({"BodyPartExamined": "CHEST", "PatientAge": "061Y"}, []),
        ({"BodyPartExamined": "PORT CHEST", "PatientAge": "nonsense"}, []),
        ({"BodyPartExamined": "HAND"}, ["BodyPartExamined HAND: is it a chest X-ray? look at --preview"]),
        ({"PatientAge": "006Y"},
         ["PatientAge 006Y: a child; models here have learnt adults, the result will be an adult's"]),
        ({"PatientAge": "030M"},
         ["PatientAge 030M: a child; models here have learnt adults, the result will be an adult's"]),
        ({"PatientAge": "016Y"}, []),
    ],
)  # fmt: skip
def test_a_header_of_another_part_or_a_child(elements: dict[str, Any], lines: list[str]):
    assert notes_of_header(header(**elements)) == lines


def test_a_bedside_film_is_said_without_a_view_position(tmp_path: Path):
    assert said_bedside(header(SeriesDescription="Chest PA")) is None
    assert said_bedside(header(StudyDescription="CHEST, PORTABLE AP")) == "StudyDescription says AP PORTABLE"
    near = "; at the bedside from some 1,000 mm, --sid-mm pa:MM"
    words = {"ViewPosition": "", "SeriesDescription": "Thorax bedside", "PatientOrientation": ["L", "F"]}
    found = turned_for("pa", film(tmp_path / "a", **words)).notes
    assert f"SeriesDescription says BEDSIDE, given as PA: {FRONT}{near}" in found
    told = turned_for("pa", film(tmp_path / "b", **words | {"DistanceSourceToDetector": 1100})).notes
    assert f"SeriesDescription says BEDSIDE, given as PA: {FRONT}" in told
    assert not any("BEDSIDE" in note for note in turned_for("lateral", film(tmp_path / "c", **words)).notes)


@pytest.mark.parametrize("sides", [["0", "0"], ["-0.7", "-0.7"]])
def test_a_spacing_that_can_be_none_is_said(tmp_path: Path, sides: list[str]):
    found = film(tmp_path / "a", ImagerPixelSpacing=sides, PixelSpacing=["0.5", "0.5"])
    assert f"ImagerPixelSpacing {sides[0]}\\{sides[1]} is no size of a pixel: left out" in [
        note.replace(".0", "") for note in found.notes
    ]
    assert found.facts["spacing_from"] == "PixelSpacing"


@pytest.mark.parametrize(("imager", "patient"), [(0.55, 0.8), (0.8, 0.2), (0.8, 0.399), (0.5, 0.51)])
def test_spacings_that_contradict_each_other_are_said(imager: float, patient: float, tmp_path: Path):
    """No patient is behind the detector, and none is magnified twice."""
    found = film(tmp_path / "a", ImagerPixelSpacing=[imager] * 2, PixelSpacing=[patient] * 2)
    assert found.notes == (
        f"ImagerPixelSpacing {imager} x {imager} mm and PixelSpacing {patient} x {patient} mm contradict each other, a "
        "pixel in the patient is 0.5 to 1 of one at the detector; the first was followed: --spacing-mm VIEW:MM",
    )
    assert found.facts["spacing_mm"] == [imager] * 2


@pytest.mark.parametrize(("imager", "patient"), [(0.8, 0.8), (0.8, 0.73), (0.8, 0.41), (0.2, 0.201)])
def test_spacings_of_a_magnified_patient_are_not(imager: float, patient: float, tmp_path: Path):
    assert film(tmp_path / "a", ImagerPixelSpacing=[imager] * 2, PixelSpacing=[patient] * 2).notes == ()


def test_two_patients_are_said_and_no_record_names_them(tmp_path: Path):
    one, two = (film(tmp_path / name, PatientID=f"{name}-1234") for name in ("a", "b"))
    framed = {view: Framed(xray, xray.pixels, ()) for view, xray in (("pa", one), ("lateral", two))}
    assert all("PatientID differs between the X-rays: are they of one patient?" in found.notes
               for found in of_one_patient(framed).values())  # fmt: skip
    assert of_one_patient({"pa": framed["pa"]})["pa"].notes == ()
    assert "1234" not in str(one.facts) and "1234" not in repr(one)


def test_a_photograph_is_told_by_its_exif_or_its_shape(tmp_path: Path):
    grey = (255 * np.tile(np.linspace(0, 1, 120), (90, 1))).astype(np.uint8)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x829D] = 1.8
    Image.fromarray(grey[:, :90]).save(tmp_path / "a.jpg", exif=exif)
    said = f"a photograph, EXIF says its FNumber: perspective, glare and grey are the camera's: {CURE}"
    assert read_xray(tmp_path / "a.jpg").notes == (said,)
    Image.fromarray(grey).save(tmp_path / "b.png")
    shape = f"120 x 90 pixels: no film has this shape, a photograph or a screen may have: {CURE}"
    assert read_xray(tmp_path / "b.png").notes == (shape,)
    Image.fromarray(grey[:, :100]).save(tmp_path / "c.png")
    assert read_xray(tmp_path / "c.png").notes == ()


def test_want_of_memory_is_no_fault_of_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate 144. KiB")

    film(tmp_path / "a")
    monkeypatch.setattr("dx2ct.predict.radiograph.film_grey.shown", full)
    with pytest.raises(MemoryError):
        read_xray(tmp_path / "a")
