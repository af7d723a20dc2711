import csv
from pathlib import Path

import numpy as np
import pytest

from drr.errors import InputError
from drr.geometry import ConeBeam
from drr.volume import Volume
from dx2ct.config import Rotation, ScoreSettings, XraySettings
from dx2ct.data.planes import PLANES
from dx2ct.data.prepare.xrays import make_xrays
from dx2ct.metrics import measured
from dx2ct.metrics.strict import psnr_db
from dx2ct.scoring import run as stage
from dx2ct.scoring.run import score_columns, score_run
from dx2ct.scoring.summary import write_metrics
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body, DX2CT, SIZE, TESTS, write_data, write_reconstructions

SETTINGS = ScoreSettings(lpips=False)
WITH_LPIPS = ScoreSettings(lpips=True)


@pytest.fixture
def run(tmp_path) -> Path:
    write_data(tmp_path / "data")
    write_reconstructions(tmp_path / "dx2ct", DX2CT, offset_hu=10)
    return tmp_path / "dx2ct"


def scored(run: Path, settings: ScoreSettings = SETTINGS, scans: tuple[str, ...] = TESTS) -> list[dict[str, str]]:
    score_run(run, scans, settings, run.parent / "data", run / "scores.csv")
    return table(run / "scores.csv")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_a_scan_and_plane(run):
    rows = scored(run)
    planes = ["axial", "coronal", "sagittal", "mean"]
    assert [(row["scan"], row["plane"]) for row in rows] == [(scan, plane) for scan in TESTS for plane in planes]
    assert list(rows[0]) == score_columns(())
    assert list(rows[0])[:7] == ["scan", "plane", "psnr_db", "ssim", "lpips", "mae_hu", "data_range_hu"]
    empty = {name for row in rows for name, value in row.items() if not value}
    assert empty == {"lpips", "lpips_vgg", "perx2ct_lpips", "dice_bone", "bias_bone_hu"}, "no networks, no bone"


def test_every_volume_is_measured_against_its_own_scan(run):
    for row in scored(run):
        factor = {"axial": 1, "coronal": 2, "sagittal": 3, "mean": 2}[row["plane"]]
        assert float(row["mae_hu"]) == pytest.approx(10 * factor, abs=1e-3)
        assert float(row["psnr_db"]) == pytest.approx(20 * np.log10(2500 / (10 * factor)), abs=1e-4)
        assert row["lpips"] == ""


def test_range_is_a_setting(run):
    psnr = [float(row["psnr_db"]) for row in scored(run)]
    wider = ScoreSettings(data_range_hu=4095, lpips=False)
    assert np.subtract([float(row["psnr_db"]) for row in scored(run, wider)], psnr) == pytest.approx(4.286, abs=1e-3)


def test_a_perfect_volume_is_written_as_inf(run):
    Volume(body(0), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)).write(run / "volumes" / f"{TESTS[0]}.nii.gz")
    assert scored(run)[3]["psnr_db"] == "inf"
    write_metrics([run], run.parent / "metrics.csv")
    (row,) = table(run.parent / "metrics.csv")
    assert (row["psnr_db"], row["psnr_db_std"]) == ("inf", "")


def test_lpips_that_cannot_be_had_is_empty(run, monkeypatch):
    monkeypatch.setattr(stage, "_lpips", dict)
    assert {row["lpips"] for row in scored(run, WITH_LPIPS)} == {""}
    write_metrics([run], run.parent / "metrics.csv")
    (row,) = table(run.parent / "metrics.csv")
    assert row["lpips"] == row["lpips_planes"] == ""


def test_lpips_sees_the_slices_of_the_volume_s_own_plane(run, monkeypatch):
    seen = []
    monkeypatch.setattr(stage, "_lpips", lambda: {"alex": lambda truth, image: seen.append(truth) or 0.25})
    rows = scored(run, WITH_LPIPS, TESTS[1:2])
    assert [row["lpips"] for row in rows] == ["0.2500"] * 4
    stacks = [np.load(run.parent / "data/slices" / TESTS[1] / f"{plane}.npy") for plane in PLANES]
    for truth, expected in zip(seen, [*stacks, stacks[0]], strict=True):
        np.testing.assert_array_equal(truth, expected)


def test_metrics_are_means_over_scans_and_planes(run):
    write_reconstructions(run.parent / "mean", {"method": "mean"}, offset_hu=40, scans=TESTS[:1])
    worse = Volume(body(1) + np.float32(100), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    worse.write(run / "volumes" / f"{TESTS[1]}.nii.gz")
    scored(run)
    scored(run.parent / "mean", scans=TESTS[:1])
    write_metrics([run, run.parent / "mean"], run.parent / "metrics.csv")
    first, second = table(run.parent / "metrics.csv")
    names = ["run", "method", "views", "conditioning", "query_transformer", "prediction", "scans"]
    assert list(first)[:11] == [*names, "psnr_db", "ssim", "lpips", "mae_hu"]
    assert [first[name] for name in names] == ["dx2ct", "dx2ct", "pa+lateral", "spade", "true", "x0", "3"]
    assert [second[name] for name in names] == ["mean", "mean", "", "", "", "", "1"]
    psnr = [20 * np.log10(2500 / offset) for offset in (20, 100, 20)]
    assert float(first["psnr_db"]) == pytest.approx(np.mean(psnr), abs=1e-3)
    assert float(first["psnr_db_std"]) == pytest.approx(np.std(psnr, ddof=1), abs=1e-3)
    assert float(first["mae_hu"]) == pytest.approx(140 / 3, abs=1e-3)
    assert float(first["mae_hu_planes"]) == pytest.approx(20, abs=1e-3)
    assert second["psnr_db_std"] == ""


def test_trainings_of_one_run_are_one_row(run):
    for seed, offset in enumerate((10, 20, 40)):
        write_reconstructions(run.parent / f"ours_seed{seed}", DX2CT, offset_hu=offset)
        scored(run.parent / f"ours_seed{seed}")
    write_metrics([*run.parent.glob("ours_*")], run.parent / "metrics.csv")
    (row,) = table(run.parent / "metrics.csv")
    assert (row["run"], row["trainings"], row["scans"]) == ("ours", "3", "3")
    assert float(row["psnr_db"]) == pytest.approx(20 * np.log10(2500 / 40), abs=1e-3), "of 20, 40 and 80 HU"
    assert float(row["psnr_db_std_trainings"]) == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_the_metric_matrix_is_averaged_over_the_three_plane_volumes(run):
    rows = scored(run)
    write_metrics([run], run.parent / "metrics.csv")
    (row,) = table(run.parent / "metrics.csv")
    for name in [metric.name for metric in measured(()) if rows[0][metric.name]]:
        planes = [float(row[name]) for row in rows if row["plane"] != "mean"]
        fused = [float(row[name]) for row in rows if row["plane"] == "mean"]
        assert float(row[f"{name}_planes"]) == pytest.approx(np.mean(planes), abs=2e-4)
        assert float(row[name]) == pytest.approx(np.mean(fused), abs=2e-4)


def test_scores_of_an_older_version_are_named(run):
    scored(run)
    lines = (run / "scores.csv").read_text().splitlines()
    (run / "scores.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    with pytest.raises(InputError, match=f"{run / 'scores.csv'}: lacks the columns sharpness: run the score stage"):
        write_metrics([run], run.parent / "metrics.csv")


def test_a_truth_without_a_body_is_named(run):
    np.save(run.parent / "data/slices" / TESTS[1] / "axial.npy", np.full((SIZE,) * 3, -1024, np.int16))
    with pytest.raises(InputError, match=f"scan {TESTS[1]}: the body mask is empty"):
        scored(run)


def test_a_missing_reconstruction_is_named(run):
    path = run / "planes" / TESTS[2] / "coronal.nii.gz"
    path.unlink()
    with pytest.raises(InputError, match=f"{path}.*reconstruct"):
        scored(run)
    assert not (run / "scores.csv").exists()


def test_a_reconstruction_of_another_shape_is_named(run):
    path = run / "volumes" / f"{TESTS[0]}.nii.gz"
    Volume(body(0)[1:], (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)).write(path)
    with pytest.raises(InputError, match=rf"{path}.*\({SIZE - 1}, {SIZE}, {SIZE}\)"):
        scored(run)


def test_nothing_to_score_is_an_error(run):
    with pytest.raises(InputError, match="no scan"):
        scored(run, scans=())


def test_another_version_is_refused(run):
    with pytest.raises(InputError, match="stage score"):
        scored(run, ScoreSettings(version=2))


@pytest.mark.parametrize("name", ["settings.json", "scores.csv"])
def test_metrics_name_what_is_missing(run, name):
    scored(run)
    (run / name).unlink()
    with pytest.raises(InputError, match=str(run / name)):
        write_metrics([run], run.parent / "metrics.csv")


def test_psnr_of_a_fabricated_run_is_that_of_the_function(run):
    rows = scored(run)
    expected = psnr_db(evaluation(body(0), body(0) + np.float32(30)))
    assert float(rows[2]["psnr_db"]) == pytest.approx(expected, abs=1e-4)


def test_nodules_of_the_sheet_are_scored_and_slices_too(run):
    """A nodule of 8 mm in the lung, 2 mm voxels, at its place in the sheet; the reconstruction has half of it."""
    truth = body(0)
    truth[14:18, 14:18, 19:23] = 50
    image = np.where(truth == 50, -400, truth)
    np.save(run.parent / "data/slices" / TESTS[0] / "axial.npy", truth)
    Volume(image, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)).write(run / "volumes" / f"{TESTS[0]}.nii.gz")
    sheet = run.parent / "sheet.tsv"
    sheet.write_text("scan\tnodules\n" + f"{TESTS[0]}\t41.0:31.0:31.0:8.0\n{TESTS[1]}\t\n")
    score_run(run, TESTS[:2], SETTINGS, run.parent / "data", run / "scores.csv", sheet=sheet)
    (nodule,) = table(run / "nodules.csv")
    assert (nodule["scan"], nodule["nodule"], nodule["diameter_mm"]) == (TESTS[0], "1", "8.0000")
    assert float(nodule["kept"]) == pytest.approx(0.5, abs=1e-4)
    slices = table(run / "slices.csv")
    assert len(slices) == 2 * 3 * SIZE
    one = next(row for row in slices if (row["scan"], row["plane"], row["slice"]) == (TESTS[1], "coronal", "16"))
    assert float(one["psnr_db"]) == pytest.approx(20 * np.log10(2500 / 20), abs=1e-3)
    assert slices[0]["psnr_db"] == "inf"


def test_a_cohort_without_nodules_has_a_header(run):
    scored(run)
    assert (run / "nodules.csv").read_text().startswith("scan,nodule,x_mm,") and not table(run / "nodules.csv")


def test_reprojection_is_measured_in_every_view(run):
    views = {"pa": "pa", "lateral": "lateral", "oblique": Rotation(45.0, 10.0)}
    beam = XraySettings(ConeBeam(541.0, 949.0, 160.0, 64), views=views)
    for number, scan in enumerate(TESTS):
        place = Volume(body(number), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
        place.write(run.parent / "data/volumes" / f"{scan}.mha")
        make_xrays(run.parent / "data/volumes" / f"{scan}.mha", beam, run.parent / "data/xrays" / scan)
    score_run(run, TESTS, SETTINGS, run.parent / "data", run / "scores.csv", xray=beam)
    rows = table(run / "scores.csv")
    assert {row["reprojection_floor_pa"] for row in rows} == {"0.0000"}, "the truth lies on the grid of the X-rays here"
    for view in views:
        errors = [float(row[f"reprojection_{view}"]) for row in rows if row["scan"] == TESTS[0]]
        assert 0 < errors[0] < errors[1] < errors[2], "axial is off by 10 HU, coronal by 20, sagittal by 30"
    write_metrics([run], run.parent / "metrics.csv")
    assert "reprojection_floor_oblique_planes" in table(run.parent / "metrics.csv")[0]
    assert "reprojection_pa" not in scored(run)[0], "without X-rays there is nothing to compare"


def test_a_reconstruction_that_is_no_number_is_named(run):
    path = run / "volumes" / f"{TESTS[0]}.nii.gz"
    Volume(np.where(body(0) == 40, np.nan, body(0)), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)).write(path)
    with pytest.raises(InputError, match=rf"{path}: \d+ voxels are NaN"):
        scored(run)
