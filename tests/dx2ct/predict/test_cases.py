"""Films with something special, each against the picture that all were made from: what a network would be shown."""

from pathlib import Path

import numpy as np

from dx2ct.predict.framed import Framed
from dx2ct.predict.framing import Framing, oriented, squared
from dx2ct.predict.model import Model
from tests.fabricate import film, lateral, pa

MARGINS = {  # left, top, right, bottom of what is no image
    "ab-implicit-padding.dcm": (20, 0, 160, 200),
    "ac-mono1-border.dcm": (40, 0, 120, 200),
    "ad-shutter.dcm": (40, 0, 160, 200),
}
# What a user must be told, or the record must tell.
SAID = {
    "B-miniswhite.tif": "MINISWHITE inverted",
    "B16-miniswhite.tif": "MINISWHITE inverted",
    "C-exif6.jpg": "turned by 90 degrees clockwise by its orientation tag, 6",
    "C2-exif2-mirror.jpg": "mirrored left to right by its orientation tag, 2",
    "C3-exif6.png": "turned by 90 degrees clockwise by its orientation tag, 6",
    "ac-mono1-border.dcm": "--crop pa:40,0,120,200",
    "ad-shutter.dcm": "outside the shutter (rectangular) made air",
    "ag-lateral-AF.dcm": "mirrored left to right by PatientOrientation A\\F (--flip lateral undoes it)",
    "ai-intercept-only.dcm": "RescaleSlope is missing or empty",
    "aj-for-processing-sign-1.dcm": "For Processing",
    "d-window-width-0.dcm": "window 2048/0 is none",
    "f-patient-orientation-RF.dcm": "mirrored left to right by PatientOrientation R\\F (--flip pa undoes it)",
    "f2-fov-flip.dcm": "mirrored left to right by PatientOrientation R\\F",
    "f3-upside-down.dcm": "mirrored top to bottom by PatientOrientation L\\H",
    "h-highbit15.dcm": "HighBit 15: the upper 12 bits taken",
    "l-raw-for-processing.dcm": "For Processing",
    "t-window-explicit-inverted.dcm": "window 2048/-4096 is none",
    "w-no-transfer-syntax.dcm": "TransferSyntaxUID is missing",
    "y-pixel-aspect.dcm": "made square by PixelAspectRatio 2\\1: 160 x 100 became 160 x 200",
}
DONE = {"a-base.dcm": ["rescale by 1 and 0"], "o-modlut-inverting.dcm": ["modality LUT"],
        "g-empty-rescale.dcm": ["no rescale"], "ai-intercept-only.dcm": ["no rescale"]}  # fmt: skip


def prepared(model: Model, view: str, given: object) -> Framed:
    """One view as a whole, squared, beside an unremarkable other one."""
    others = {"pa": film(pa()), "lateral": film(lateral())}
    return model.prepare(others | {view: given}, {}, is_placed=False)[view]


def test_every_film_is_seen_as_it_was_meant(cases: Path, model: Model):
    truth = np.load(cases / "xray/F.npy").astype(np.float32)
    files = sorted(path for path in (cases / "xray").iterdir() if path.suffix != ".npy")
    assert len(files) > 25
    for path in files:
        view = "lateral" if "lateral" in path.name else "pa"
        found = prepared(model, view, path)
        left, top, right, bottom = MARGINS.get(path.name, (0, 0, 160, 200))
        part = oriented(film(truth[top:bottom, left:right]), Framing())
        expected = np.zeros_like(truth)
        expected[top:bottom, left:right] = part
        expected = squared(expected[:, ::-1] if view == "lateral" else expected)
        off = np.abs(found.image - expected)
        # the JPEG is lossy; of the image of half the rows the edges of the marker are blurred
        bound = 0.03 if path.suffix == ".jpg" else 0.005
        wrong = np.mean(off > bound)
        assert wrong < (0.003 if path.name in ("y-pixel-aspect.dcm", "ad-shutter.dcm") else 1e-9), path.name
        told = [*found.notes, *found.xray.facts["steps"]]
        assert any(SAID[path.name] in text for text in told) if path.name in SAID else True, (path.name, told)
        assert set(DONE.get(path.name, ())) <= set(found.xray.facts["steps"])
        if path.name not in SAID:
            notes = [note for note in found.notes if "network" not in note]  # which knows that they are drawn
            assert not [note for note in notes if "spacing" not in note.lower()], notes
