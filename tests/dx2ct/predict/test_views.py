"""Films that lie in any way, given as one view or the other."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drr.errors import InputError
from dx2ct.predict.framed import Framed
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.predict.read import read_xray
from dx2ct.predict.turn import turn_between
from dx2ct.predict.view import DIRECTIONS
from dx2ct.predict.xray import Xray
from tests.conftest import ROOT
from tests.fabricate import film, lateral, pa, write_dicom

IMAGES = {"pa": pa, "lateral": lateral}


def prepared(model: Model, view: str, given: Any, how: Framing | None = None) -> Framed:
    """One view as the network is given it, beside an unremarkable other one."""
    others = {name: film(image()) for name, image in IMAGES.items()}
    return model.prepare(others | {view: given}, {view: how or Framing()})[view]


def as_dicom(path: Path, image: np.ndarray, **tags: Any) -> Path:
    """A film of an image in [0, 1]."""
    write_dicom(path, (image * 4000).astype(np.uint16), **tags)
    return path


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_patient_orientation_turns_a_film_as_its_view_lies(view: str, model: Model, tmp_path: Path):
    wanted, image = DIRECTIONS[view], IMAGES[view]()
    expected = prepared(model, view, as_dicom(tmp_path / "right.dcm", image, PatientOrientation=list(wanted)))
    assert not expected.xray.turn and not any("PatientOrientation" in note for note in expected.notes)
    across = {"pa": "LR", "lateral": "AP"}[view]
    for directions in [*product(across, "HF"), *product("HF", across)]:
        there = turn_between(wanted, directions)
        path = as_dicom(tmp_path / "a.dcm", there.of(image), PatientOrientation=list(directions))
        found = prepared(model, view, path)
        np.testing.assert_array_equal(found.image, expected.image)
        said = f"{found.xray.turn} by PatientOrientation {directions[0]}\\{directions[1]}"
        assert (said in found.xray.facts["steps"]) == (directions != wanted)
        assert any(said in note for note in found.notes) == (directions != wanted)


def test_options_come_after_the_header_s_turn_and_a_crop_before_it(model: Model, tmp_path: Path):
    path = as_dicom(tmp_path / "a.dcm", pa()[:, ::-1], PatientOrientation=["R", "F"])
    undone = prepared(model, "pa", path, Framing(flip=True))
    np.testing.assert_allclose(undone.image, prepared(model, "pa", path).image[:, ::-1], atol=0.04)
    cropped = prepared(model, "pa", path, Framing(crop=(0, 0, 80, 200)))
    right_half = prepared(model, "pa", as_dicom(tmp_path / "b.dcm", pa()), Framing(crop=(80, 0, 160, 200)))
    np.testing.assert_array_equal(cropped.image, right_half.image)


@pytest.mark.parametrize(
    ("view", "tags", "said"),
    [
        ("pa", {"ViewPosition": "LL"}, "ViewPosition LL is of a lateral X-ray, and it is given as PA"),
        ("lateral", {"ViewPosition": "AP"}, "ViewPosition AP is of a PA X-ray, and it is given as lateral"),
        ("pa", {"ViewPosition": "AP"}, "ViewPosition AP, given as PA: taken from the front"),
        ("pa", {"ViewPosition": "LLO"}, "ViewPosition LLO, given as PA"),
        ("pa", {"PatientOrientation": ["A", "F"]}, "PatientOrientation A\\F is not of a PA X-ray"),
        ("lateral", {"PatientOrientation": ["L", "F"]}, "PatientOrientation L\\F is not of a lateral X-ray"),
        ("pa", {"ViewPosition": "PA", "PatientOrientation": ["L", "F"]}, None),
        ("lateral", {"ViewPosition": "LL", "PatientOrientation": ["P", "F"]}, None),
        ("lateral", {"ViewPosition": "LATERAL"}, None),
        ("pa", {}, None),
    ],
)
def test_a_header_that_contradicts_the_view_is_a_note(
    view: str, tags: dict[str, Any], said: str | None, model: Model, tmp_path: Path
):
    found = prepared(model, view, as_dicom(tmp_path / "a.dcm", IMAGES[view](), **tags))
    notes = [note for note in found.notes if "spacing" not in note and "small network" not in note]
    assert said in notes[0] if said else not notes
    assert not found.xray.turn


@pytest.mark.parametrize(("view", "other"), [("pa", "lateral"), ("lateral", "pa")])
def test_a_chest_given_as_the_other_view_or_upside_down_is_doubted(view: str, other: str, model: Model, tmp_path: Path):
    chest = read_xray(ROOT / f"examples/chest_{view}.mha").pixels
    image = chest / chest.max()
    assert not [note for note in prepared(model, view, as_dicom(tmp_path / "a.dcm", image)).notes if "network" in note]
    swapped = prepared(model, other, as_dicom(tmp_path / "a.dcm", image))
    assert any(f"give it as --{view}" in note for note in swapped.notes)
    turned = prepared(model, view, as_dicom(tmp_path / "a.dcm", image[::-1, ::-1]))
    assert any(note.endswith(f"--rotate {view}:180") for note in turned.notes)
    cured = prepared(model, view, as_dicom(tmp_path / "a.dcm", image[::-1, ::-1]), Framing(rotate=180))
    assert not [note for note in cured.notes if "network" in note]


def test_line_integrals_have_no_header_to_turn_by(model: Model):
    xray = Xray(read_xray(ROOT / "examples/chest_pa.mha").pixels, "integrals", "a.mha")
    found = prepared(model, "pa", xray)
    assert not found.moved and not found.notes
    np.testing.assert_array_equal(found.image, xray.pixels)


def test_a_header_s_text_does_nothing_to_a_terminal(model: Model, tmp_path: Path):
    path = as_dicom(tmp_path / "a.dcm", pa(), ViewPosition="L\x1b[2J\nO", PatientOrientation=["L\x1b", "\n"])
    found = prepared(model, "pa", path)
    assert len(found.notes) > 2 and all(note.isprintable() for note in found.notes)
    with pytest.raises(InputError) as caught:
        read_xray(as_dicom(path, pa(), PhotometricInterpretation="R\nB"))
    assert str(caught.value).isprintable()
