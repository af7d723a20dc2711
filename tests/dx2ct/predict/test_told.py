"""Which view a header tells."""

from dataclasses import replace
from pathlib import Path
import re

import numpy as np
from pydicom.dataset import Dataset
import pytest

from drr.errors import InputError
from dx2ct.predict.pose import others
from dx2ct.predict.read import read_xray
from dx2ct.predict.told import header_of, Told, told_view, view_of
from tests.conftest import ROOT
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


def test_a_file_is_looked_at_where_its_header_is_silent(tmp_path: Path):
    said = {"ViewPosition": "LATERAL", "PatientOrientation": ["P", "F"]}
    for name, elements in (("said", said), ("silent", {"ViewPosition": "", "PatientOrientation": []})):
        write_dicom(tmp_path / name, (pa() * 4000).astype("uint16"), **elements)
    film = read_xray(tmp_path / "said")
    assert view_of(header_of(tmp_path / "said"), film) == Told("lateral", "ViewPosition LATERAL")
    for view in ("pa", "lateral"):
        shown = read_xray(ROOT / f"examples/chest_{view}.mha").pixels
        found = view_of(header_of(tmp_path / "silent"), replace(film, pixels=shown))
        assert found.view == view and re.fullmatch(r"a small network, 9\d(\.\d+)? % sure", found.by)
    found = view_of(header_of(tmp_path / "silent"), replace(film, pixels=others.noise(np.random.default_rng(0))))
    assert found.view is None
    assert re.fullmatch(
        r"neither ViewPosition nor PatientOrientation nor a description tells the view; it looks like no chest X-ray "
        r"to a small network, \d\d(\.\d+)? % sure: name it, dx2ct predict --pa or --lateral",
        found.by,
    )


def test_what_is_no_dicom_file(tmp_path: Path):
    (tmp_path / "b").write_bytes(b"x" * 500)
    with pytest.raises(InputError, match=r"^b: not a DICOM file \(no DICM mark\): fetch it again$"):
        header_of(tmp_path / "b")
