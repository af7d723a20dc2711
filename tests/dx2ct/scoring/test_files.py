"""`dx2ct score`: two files of any method in, one line out, or one line that says what is wrong with them."""

import csv
import io
import json
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.metrics import measured, score
from dx2ct.scoring.files import score_files, to_text
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body

NAMES = [metric.name for metric in measured(())]
PLACE = ((2.0, 2.0, 2.0), (-10.0, 5.0, 30.0))


def write(path: Path, array: np.ndarray, spacing: tuple = PLACE[0], origin: tuple = PLACE[1]) -> Path:
    Volume(array, spacing, origin).write(path)
    return path


@pytest.fixture
def truth(tmp_path) -> Path:
    return write(tmp_path / "truth.nii.gz", body(0))


@pytest.fixture
def prediction(tmp_path) -> Path:
    return write(tmp_path / "prediction.mha", blurred())


def blurred() -> np.ndarray:
    return body(1).astype(np.float32) * 0.9 + 20


def test_scores_are_the_matrix_s(truth, prediction):
    scores = score_files(truth, prediction)
    expected = score(evaluation(body(0), blurred()))
    assert {name: scores[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert (scores["shape"], scores["resampled"]) == ("32x32x32", "false")


def test_json_and_csv_say_the_same(truth, prediction):
    scores = score_files(truth, prediction)
    line = to_text(scores, as_csv=False)
    (row,) = csv.DictReader(io.StringIO(to_text(scores, as_csv=True)))
    assert "\n" not in line
    assert {key: "" if value is None else str(value) for key, value in json.loads(line).items()} == row
    assert json.loads(line)["dice_bone"] is None, "the test body has no bone"
    assert json.loads(line)["lpips"] is None, "it was not asked for"


def test_infinity_is_valid_json(truth):
    line = to_text(score_files(truth, truth), as_csv=False)
    assert json.loads(line, parse_constant=pytest.fail)["psnr_db"] == "inf"


def test_orientation_of_the_file_does_not_matter(truth, prediction, tmp_path):
    turned = sitk.DICOMOrient(sitk.ReadImage(str(prediction)), "RAI")
    assert not np.array_equal(sitk.GetArrayFromImage(turned), blurred())
    sitk.WriteImage(turned, str(tmp_path / "turned.nii.gz"))
    one, other = score_files(truth, prediction), score_files(truth, tmp_path / "turned.nii.gz")
    assert {name: other[name] for name in NAMES} == pytest.approx({name: one[name] for name in NAMES}, nan_ok=True)


def test_resampling_puts_the_prediction_on_the_truth_s_grid(truth, tmp_path):
    """A prediction with one more slice of air at each end of x lies on the same voxels again."""
    wide = np.pad(blurred(), ((0, 0), (0, 0), (1, 1)), constant_values=-1024)
    path = write(tmp_path / "wide.nii.gz", wide, origin=(PLACE[1][0] - 2, *PLACE[1][1:]))
    with pytest.raises(InputError, match=r"wide.*\(32, 32, 34\) is not \(32, 32, 32\).*--resample"):
        score_files(truth, path)
    scores = score_files(truth, path, resample=True)
    expected = score(evaluation(body(0), blurred()))
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-3, nan_ok=True)
    assert scores["resampled"] == "true"


def test_a_centred_truth_is_the_mean_of_its_voxels_wherever_it_lies(truth, tmp_path):
    """A prediction of half as many voxels a side around the origin; the truth lies elsewhere."""
    coarse = body(0).reshape(16, 2, 16, 2, 16, 2).mean(axis=(1, 3, 5))
    guess = write(tmp_path / "guess.nii.gz", coarse.astype(np.float32), (4.0,) * 3, (-30.0,) * 3)
    scores = score_files(truth, guess, centred=True)
    assert scores["shape"] == "16x16x16" and scores["resampled"] == "centred" and scores["mae_hu"] < 15
    moved = write(tmp_path / "moved.nii.gz", np.roll(coarse, 1, axis=2).astype(np.float32), (4.0,) * 3, (-30.0,) * 3)
    assert score_files(truth, moved, centred=True)["mae_hu"] > 60
    with pytest.raises(InputError, match="--resample and --centred: give one of them"):
        score_files(truth, guess, resample=True, centred=True)
    flat = write(tmp_path / "flat.nii.gz", coarse[2:].astype(np.float32), (4.0,) * 3)
    with pytest.raises(
        InputError, match=r"flat\.nii\.gz: \(14, 16, 16\) voxels of .* are no cube: leave --centred out"
    ):
        score_files(truth, flat, centred=True)


def test_another_origin_is_a_warning(truth, tmp_path, caplog):
    path = write(tmp_path / "moved.nii.gz", body(0), origin=(0.0, 0.0, 0.0))
    assert score_files(truth, path)["mae_hu"] == 0
    assert "compared by index" in caplog.text
    assert score_files(truth, path, resample=True)["mae_hu"] > 1


def test_volumes_that_hardly_meet_are_a_warning(truth, tmp_path, caplog):
    there = tuple(value + 2.0 * steps for value, steps in zip(PLACE[1], (12, 0, 0), strict=True))
    score_files(truth, write(tmp_path / "moved.nii.gz", body(0), origin=there), resample=True)
    assert f"moved.nii.gz: covers 62 % of the space of {truth}, the rest is taken for air" in caplog.text
    caplog.clear()
    score_files(truth, write(tmp_path / "near.nii.gz", body(0), origin=PLACE[1]), resample=True)
    assert not caplog.text


@pytest.mark.parametrize(
    ("array", "spacing", "message"),
    [
        (body(0), (2.0, 2.0, 2.5), r"spacing \(2, 2, 2.5\) mm is not \(2, 2, 2\) mm of .*truth.*--resample"),
        ((body(0) + 1024) / 2500, (2.0,) * 3, r"values lie in \[0, 0.4256\]: normalised, not HU"),
        (np.zeros((32,) * 3, np.int16), (2.0,) * 3, "normalised, not HU"),
        (body(0) + 1024, (2.0,) * 3, r"values lie in \[0, 1064\]: not HU.*1024"),
        (np.where(body(0) == -1024, -32768, body(0)), (2.0,) * 3, "replace padding by -1024"),
        (np.where(body(0) == 40, np.nan, body(0)), (2.0,) * 3, r"\d+ voxels are NaN"),
        (body(0)[:10], (2.0,) * 3, "11 voxels"),
    ],
)
def test_what_cannot_be_compared_is_named(truth, tmp_path, array, spacing, message):
    path = write(tmp_path / "bad.nrrd", array, spacing)
    with pytest.raises(InputError, match=f"{path}: .*{message}" if "voxels are" not in message else message):
        score_files(truth, path)


def test_a_truth_without_a_body_is_named(prediction, tmp_path):
    path = write(tmp_path / "air.nii.gz", np.where(body(0) == 40, -900, body(0)))
    with pytest.raises(InputError, match=f"{path}: the body mask is empty"):
        score_files(path, prediction)


@pytest.mark.slow
def test_on_the_command_line(truth, prediction, tmp_path):
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "dx2ct", "score", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[3])

    good = run(truth, prediction)
    assert good.returncode == 0 and set(NAMES) <= set(json.loads(good.stdout))
    bad = run(truth, write(tmp_path / "unit.nii.gz", (body(0) + 1024) / 2500))
    assert bad.returncode == 1 and bad.stdout == ""
    assert bad.stderr.startswith("error: ") and bad.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["nan.nii", "nan.nii.gz"])
def test_nan_in_nifti_is_seen_though_itk_makes_it_zero(truth, tmp_path, name):
    array = body(0).astype(np.float32)
    array[3, 4, 5:8] = np.nan, np.inf, -np.inf
    path = write(tmp_path / name, array)
    with pytest.raises(InputError, match=f"{path}: 3 voxels are NaN or infinite"):
        score_files(truth, path)
