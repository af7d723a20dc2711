"""Where an X-ray was taken: who says its millimetres, and what cannot be of a chest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drr.errors import InputError
from drr.geometry import PRESETS
from dx2ct.predict.framing import Framing, parse_framings
from dx2ct.predict.place import ODD_MM, Place, place_of, SID_MM
from dx2ct.predict.radiograph import read_radiograph
from dx2ct.predict.xray import Xray
from tests.fabricate import film, pa, write_dicom

TRAINING = PRESETS["x2ct"].view("pa", (0.0, 0.0, 0.0))
ROWS, COLUMNS = 200, 160


def place(xray: Xray, **said: Any) -> Place:
    """Of a PA X-ray."""
    return place_of("pa", xray, Framing(**said), TRAINING)


def dicom(folder: Path, **tags: Any) -> Xray:
    """A film of ROWS and COLUMNS."""
    write_dicom(folder / "a.dcm", (pa(ROWS, COLUMNS) * 4000).astype(np.uint16), **tags)
    return read_radiograph(folder / "a.dcm")


def integrals(side: int, spacing: float | None) -> Xray:
    """Line integrals of so many pixels."""
    facts = {} if spacing is None else {"spacing_mm": [spacing] * 2, "spacing_from": "ElementSpacing"}
    return Xray(pa(side, side).astype(np.float32), "integrals", "a.mha", facts)


def test_the_usual_beam_is_that_of_chest_films():
    assert (SID_MM, ODD_MM) == (1800, 200)
    found = place(film(pa()), spacing_mm=2.0)
    assert (found.pixel_mm, found.sid_mm, found.odd_mm) == ((2.0, 2.0), 1800, 200) and not found.guessed
    assert (found.spacing_from, found.sid_from, found.odd_from) == ("--spacing-mm", "usual", "usual")


@pytest.mark.parametrize(
    ("tags", "pixel_mm", "source"),
    [
        ({"ImagerPixelSpacing": [2, 2]}, 2, "ImagerPixelSpacing"),
        ({"ImagerPixelSpacing": [2, 2], "PixelSpacing": [1.5, 1.5]}, 2, "ImagerPixelSpacing"),
        ({"PixelSpacing": [2, 2]}, 2, "PixelSpacing"),
        ({"PixelSpacing": [2, 2], "PixelSpacingCalibrationType": "GEOMETRY"}, 2.25, "GEOMETRY, in the patient"),
        ({"PixelSpacing": [2, 2], "PixelSpacingCalibrationType": "FIDUCIAL"}, 2.25, "FIDUCIAL, in the patient"),
        ({"PixelSpacing": [2, 2], "PixelSpacingCalibrationType": "GEOMETRY", "DistanceSourceToDetector": 1000},
         2.5, "GEOMETRY, in the patient"),
        ({"NominalScannedPixelSpacing": [2, 2]}, 2, "NominalScannedPixelSpacing"),
        ({"ImagerPixelSpacing": [0, 0], "PixelSpacing": [2, 2]}, 2, "PixelSpacing"),
        ({}, 430 / ROWS, "its longer side taken for 430 mm"),
    ],
)  # fmt: skip
def test_a_dicom_file_says_its_pixels(tags: dict[str, Any], pixel_mm: float, source: str, tmp_path: Path):
    found = place(dicom(tmp_path, **tags))
    assert found.pixel_mm == pytest.approx((pixel_mm, pixel_mm)) and source in found.spacing_from
    assert found.guessed == (not tags)
    assert place(dicom(tmp_path, **tags), spacing_mm=1.9).pixel_mm == (1.9, 1.9)  # the user knows better


@pytest.mark.parametrize(
    ("tags", "sid_mm", "odd_mm"),
    [
        ({"DistanceSourceToDetector": 1500}, 1500, 200),
        ({"DistanceSourceToDetector": 1500, "DistanceSourceToPatient": 1280}, 1500, 220),
        ({"DistanceSourceToDetector": 1500, "DistanceSourceToPatient": 1460}, 1500, 190),  # to the bucky
        ({"DistanceSourceToPatient": 1600}, 1800, 200),
        ({"EstimatedRadiographicMagnificationFactor": 1.2}, 1800, 300),
        ({"EstimatedRadiographicMagnificationFactor": 1.0}, 1800, 150),
        ({"DistanceSourceToPatient": 1650, "EstimatedRadiographicMagnificationFactor": 1.2}, 1800, 150),
        ({"DistanceSourceToDetector": 180}, 1800, 200),  # in cm
        ({"DistanceSourceToPatient": 2000}, 1800, 200),
        ({"DistanceSourceToDetector": 0, "DistanceSourceToPatient": 0}, 1800, 200),
    ],
)
def test_a_dicom_file_says_its_distances(tags: dict[str, Any], sid_mm: float, odd_mm: float, tmp_path: Path):
    xray = dicom(tmp_path, ImagerPixelSpacing=[2, 2], **tags)
    found = place(xray)
    assert (found.sid_mm, found.odd_mm) == (sid_mm, pytest.approx(odd_mm))
    for keyword, value in tags.items():  # what is not followed is not dropped in silence
        if value in (180, 2000, 0):
            assert f"{keyword} {value} cannot be" in str(found)
    told = place(xray, sid_mm=1100, odd_mm=170)
    assert (told.sid_mm, told.sid_from, told.odd_mm, told.odd_from) == (1100, "--sid-mm", 170, "--odd-mm")


def test_line_integrals_of_the_training_s_detector_are_the_training_s():
    for side, spacing in ((320, 500 / 320), (100, 5.0), (200, None)):
        found = place(integrals(side, spacing))
        assert found.is_training and found.pixel_mm == pytest.approx((500 / side,) * 2)
        assert (found.sid_mm, found.odd_mm) == (949, pytest.approx(408))
    for xray, said in ((integrals(320, 430 / 320), {}), (integrals(320, 500 / 320), {"sid_mm": 1000.0})):
        found = place(xray, **said)
        assert not found.is_training and found.pixel_mm == tuple(xray.facts["spacing_mm"])
        assert found.sid_mm == said.get("sid_mm", 1800) and found.odd_mm == 200


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"spacing_mm": 0.3}, r"film\.png: pixels of 0\.3 mm \(--spacing-mm\) make it show 53\.33 mm of the patient, "
                              r"a chest X-ray 100 to 800: give --spacing-mm pa:MM"),
        ({"spacing_mm": 11}, r"make it show 1956 mm of the patient"),
        ({"sid_mm": 400}, r"film\.png: 400 mm from source to detector and 200 mm from the middle of the patient to the "
                          r"detector: 300 mm at least must lie between source and patient \(--sid-mm, --odd-mm\)"),
        ({"odd_mm": 1700}, "300 mm at least must lie between"),
    ],
)  # fmt: skip
def test_what_cannot_be_of_a_chest_is_refused_in_one_line(said: dict[str, float], reason: str):
    with pytest.raises(InputError, match=reason) as caught:
        place(film(pa()), **said)
    assert "\n" not in str(caught.value)


def test_lengths_on_the_command_line():
    found = parse_framings(["pa", "lateral"], spacing_mm=["pa:0.2", "0.15"], sid_mm=["1500"], odd_mm=["lateral:180"])
    assert found == {
        "pa": Framing(spacing_mm=0.2, sid_mm=1500),
        "lateral": Framing(spacing_mm=0.15, sid_mm=1500, odd_mm=180),
    }
    for words, reason in (
        (["ap:0.2"], "--spacing-mm ap:0.2: say VIEW:MM or MM, where VIEW is pa"),
        ([":0.2"], "--spacing-mm :0.2: say VIEW:MM or MM, where VIEW is pa"),
        (["pa:wide"], "--spacing-mm pa:wide: a number of mm, alone or after VIEW:"),
        (["0"], "spacing_mm 0: a length above 0 mm"),
        (["nan"], "spacing_mm nan: a length above 0 mm"),
        (["-1"], "spacing_mm -1: a length above 0 mm"),
    ):
        with pytest.raises(InputError, match=f"^{reason}"):
            parse_framings(["pa"], spacing_mm=words)
