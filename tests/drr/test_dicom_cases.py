"""DICOM series of a thorax that is known everywhere: read right, or refused with the true reason, case by case."""

from pathlib import Path
import re
import runpy
import zipfile

import numpy as np
from numpy.typing import NDArray
import pytest

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import Volume

MAX_ERROR_HU = 8.0  # mean of the body: 6 mm slices on a grid of 4 mm come to 3
# Case -> its series, or None for the only one, and what is said about it, "" for nothing of note.
RIGHT = {
    "01-tilt": [(None, "gantry tilt of 15.0 degrees is straightened")],
    "07-phases-interleaved": [
        (None, r"takes AcquisitionNumber 1 \(30 slices .* passes over AcquisitionNumber 2 \(30 slices")
    ],
    "09-per-slice-rescale": [(None, "")],
    "11-patientid-varies": [(None, r"PatientID differs in one series: 'P1' \(15 images\), 'p1' \(15 images\)")],
    "16-nonsquare": [(None, "")],
    "81-syntax-says-explicit-is-implicit": [(None, "")],
    "111-cohort-patientid": [("1.2.3.4", r"'P1' \(20 images\), 'p1' \(20 images\)"), ("1.2.3.5", "")],
    "112-cohort-anon": [("1.2.3.10", ""), ("1.2.3.11", ""), ("1.2.3.12", "")],
    "115-cohort-dicom-and-nifti": [("1.2.3.1", ""), ("1.2.3.2", "")],
    "130-tall": [(None, "")],
    "136-no-syntax": [(None, "12 of 12 images name no transfer syntax: read as Explicit VR Little Endian")],
    "142-lossy": [(None, "30 of 30 images were compressed with loss")],
}
REFUSED = {
    "03-hole84": r"slices are missing between z = -36.25 mm and z = 47.5 mm .* 83.75 mm apart",
    "08-overlap": r"acquisitions in one series, that overlap along z: AcquisitionNumber 1 .*, AcquisitionNumber 2 ",
    "23-not-hu-mgml": r"RescaleType is MGML, not HU",
}


@pytest.fixture(params=["zip", "folder"])
def source(request: pytest.FixtureRequest, cases: Path, case: str, tmp_path: Path) -> Path:
    """The case as it is, or unpacked."""
    packed = cases / "ct" / f"{case}.zip"
    if request.param == "zip":
        return packed
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / case)
    return tmp_path / case


def errors_in_body(volume: Volume, cases: Path) -> NDArray[np.float64]:
    """Absolute differences in HU from the truth at every voxel of the body's ellipse."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1)[..., ::-1]
    points = (index * volume.spacing_mm) @ np.reshape(volume.direction, (3, 3)).T + volume.origin_mm
    truth = runpy.run_path(str(cases / "truth.py"))["truth"](*np.moveaxis(points, -1, 0))
    body = (points[..., 0] / 130) ** 2 + (points[..., 1] / 90) ** 2 < 1
    return np.asarray(np.abs(truth - volume.array)[body], dtype=np.float64)


@pytest.mark.parametrize("case", RIGHT)
def test_read_right(source, cases, case, capsys):
    for uid, said in RIGHT[case]:
        assert errors_in_body(read_ct(source, uid), cases).mean() < MAX_ERROR_HU
        lines = [line for line in capsys.readouterr().err.splitlines() if "very thick" not in line]
        assert len(lines) == bool(said) and re.search(said, "".join(lines))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_true_reason(source, case):
    with pytest.raises(InputError, match=REFUSED[case]) as caught:
        read_ct(source)
    assert "\n" not in str(caught.value)
