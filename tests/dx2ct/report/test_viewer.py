"""The volumes of the page's viewer."""

from base64 import b64decode
from hashlib import sha256
from pathlib import Path
import re

import numpy as np
import pytest
import SimpleITK as sitk

from drr.volume import Volume
from dx2ct.config import ScoreSettings
from dx2ct.report.page import VENDOR
from dx2ct.report.viewer import packed, viewer_of
from dx2ct.scoring.run import score_run
from tests.fabricate import body, DX2CT, TESTS, write_data, write_reconstructions

CT = Volume(body(0), (2.0, 2.5, 3.0), (-10.0, 20.0, 300.0))


@pytest.mark.parametrize(("step", "off"), [(1, 0), (10, 5)])
def test_a_packed_volume_opens_in_any_reader_where_the_ct_lies(tmp_path, step, off):
    ramp = np.linspace(-1500, 2000, CT.array.size).reshape(CT.array.shape).astype(np.float32)
    (tmp_path / "ct.nii.gz").write_bytes(b64decode(packed(Volume(ramp, CT.spacing_mm, CT.origin_mm), step)))
    image = sitk.ReadImage(str(tmp_path / "ct.nii.gz"))
    assert image.GetSpacing() == pytest.approx(CT.spacing_mm) and image.GetOrigin() == pytest.approx(CT.origin_mm)
    assert np.allclose(image.GetDirection(), np.eye(3).ravel())
    error = np.abs(sitk.GetArrayFromImage(image) - np.clip(ramp, -1024, 1476))
    assert error.max() <= max(off, 0.5)


def project(root: Path) -> list[Path]:
    write_data(root / "data")
    runs = [root / "mean", root / "dx2ct"]
    write_reconstructions(runs[0], {"method": "mean"}, offset_hu=40)
    write_reconstructions(runs[1], DX2CT, offset_hu=10)
    for number, scan in enumerate(TESTS):  # the first scan is the best, the last the worst
        Volume(body(number) + np.float32(10 * (number + 1)), (2.0,) * 3, (0.0,) * 3).write(
            runs[1] / f"volumes/{scan}.nii.gz"
        )
    for run in runs:
        score_run(run, TESTS, ScoreSettings(lpips=False), root / "data", run / "scores.csv")
    return runs


def test_median_worst_and_best_scan_are_shown_as_far_as_there_is_room(tmp_path):
    runs = project(tmp_path)
    everything = viewer_of(runs, TESTS, tmp_path / "data")
    assert [(entry["scan"], entry["why"]) for entry in everything.index] == [
        (TESTS[1], "median"),
        (TESTS[2], "worst"),
        (TESTS[0], "best"),
    ]
    assert everything.rounded_hu == 1 and len(everything.volumes) == 3 * 3
    assert all(set(entry["runs"]) == {"mean", "dx2ct"} for entry in everything.index)
    size = sum(map(len, everything.volumes.values()))
    tight = viewer_of(runs, TESTS, tmp_path / "data", budget=size / 2)
    assert tight.rounded_hu == 10 and sum(map(len, tight.volumes.values())) <= size / 2
    none = viewer_of(runs, TESTS, tmp_path / "data", budget=1)
    assert [entry["why"] for entry in none.index] == ["median"], "one is always there"
    assert [entry["scan"] for entry in viewer_of(runs, TESTS[:1], tmp_path / "data").index] == [TESTS[0]]


def test_niivue_is_what_npm_serves():
    text = (VENDOR / "LICENSES.txt").read_text()
    (told,) = re.findall(r"SHA-256 ([0-9a-f]{64})", text)
    assert sha256((VENDOR / "niivue.umd.js").read_bytes()).hexdigest() == told
    assert "</script" not in (VENDOR / "niivue.umd.js").read_text()
