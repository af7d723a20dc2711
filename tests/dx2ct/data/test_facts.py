"""What a cohort is filtered by, of a DICOM series whose header may say anything."""

from pathlib import Path

import pytest

from drr.ct.dicom import find_series
from drr.ct.sources import members
from dx2ct.data.cohort.facts import Facts, of_stack
from tests.drr.series import with_values, write_series


def facts(folder: Path) -> Facts:
    with members(folder, below=False) as files:
        [series], _ = find_series(files)
        return of_stack(series.stacked())


@pytest.mark.parametrize(("agent", "contrast"), [("OMNI", "yes"), ("", "no"), ("  ", "no"), (None, "no")])
def test_contrast_is_a_named_agent(tmp_path, agent, contrast):
    assert facts(write_series(tmp_path / "ct", edit=with_values(ContrastBolusAgent=agent)))["contrast"] == contrast


@pytest.mark.parametrize("vr", [b"ZZ", b"FD"])
def test_an_agent_of_a_wrong_vr_is_still_an_agent(tmp_path, vr):
    """Pydicom knows no ZZ, and four bytes are no double."""
    folder = write_series(tmp_path / "ct", edit=with_values(ContrastBolusAgent="OMNI"))
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"LO\x04\0OMNI", vr + b"\x04\0OMNI"))
    assert facts(folder)["contrast"] == "yes"


def test_lengths_come_from_positions(tmp_path):
    found = facts(write_series(tmp_path / "ct", skip=[5]))
    lengths = {"slice_mm": "3.000", "largest_gap_mm": "6.000", "z_mm": "36.0", "fov_mm": "30.0"}
    assert {name: found[name] for name in lengths} == lengths
    assert found["flags"] == "irregular-spacing"
