"""Which view a header tells."""

from pathlib import Path

from pydicom.dataset import Dataset
import pytest

from drr.errors import InputError
from dx2ct.predict.told import Told, told_view, view_of
from tests.fabricate import pa, write_dicom


def header(**elements: object) -> Dataset:
    found = Dataset()
    for name, value in elements.items():
        setattr(found, name, value)
    return found


def code(meaning: str) -> list[Dataset]:
    return [header(CodeMeaning=meaning)]


@pytest.mark.parametrize(
    ("elements", "view", "by"),
    [
        ({"ViewPosition": "PA"}, "pa", "ViewPosition PA"),
        ({"ViewPosition": "AP"}, "pa", "ViewPosition AP"),
        ({"ViewPosition": "LL", "SeriesDescription": "CHEST PA"}, "lateral", "ViewPosition LL"),
        ({"ViewCodeSequence": code("postero-anterior")}, "pa", "ViewCodeSequence posteroanterior"),
        ({"ViewCodeSequence": code("left lateral")}, "lateral", "ViewCodeSequence left lateral"),
        ({"PatientOrientation": ["L", "F"]}, "pa", "PatientOrientation L\\F"),
        ({"PatientOrientation": ["A", "F"]}, "lateral", "PatientOrientation A\\F"),
        ({"SeriesDescription": "Chest LAT"}, "lateral", "SeriesDescription Chest LAT"),
        ({"SeriesDescription": "W033 Chest PA"}, "pa", "SeriesDescription W033 Chest PA"),
        ({"ViewPosition": "", "StudyDescription": "CHEST PA AND LATERAL"}, None, "neither ViewPosition nor"),
        ({"PatientOrientation": ["L", "P"]}, None, "neither ViewPosition nor"),  # of an axial image
        ({}, None, "neither ViewPosition nor PatientOrientation nor a description tells the view"),
        ({"ViewPosition": "PA", "PatientOrientation": ["P", "F"]}, None, "contradict each other"),
        ({"ViewPosition": "LLO"}, None, "ViewPosition LLO: LLO is neither PA nor lateral"),
        ({"ViewPosition": "PA", "SeriesDescription": "lordotic"}, None, "LORDOTIC is neither"),
    ],
)
def test_what_a_header_tells(elements: dict[str, object], view: str | None, by: str):
    found = told_view(header(**elements))
    assert found.view == view
    assert by in found.by


def test_a_file(tmp_path: Path):
    write_dicom(tmp_path / "a", (pa() * 4000).astype("uint16"), ViewPosition="LATERAL", PatientOrientation=["P", "F"])
    assert view_of(tmp_path / "a") == Told("lateral", "ViewPosition LATERAL")
    (tmp_path / "b").write_bytes(b"x" * 500)
    with pytest.raises(InputError, match=r"^b: not a DICOM file \(no DICM mark\): fetch it again$"):
        view_of(tmp_path / "b")
