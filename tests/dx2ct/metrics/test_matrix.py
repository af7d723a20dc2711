"""The metric matrix: agreement with scikit-image, hand-computed quirks, and which metrics notice what."""

from dataclasses import astuple

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from drr.errors import InputError
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.metrics import body_mask, measured, score
from dx2ct.metrics.fast import similarities
from dx2ct.metrics.metric import BODY, SLICES, TISSUE, VOLUME
from dx2ct.metrics.published import perx2ct_psnr_db, perx2ct_ssim, x2ct_psnr_3d_db, x2ct_psnr_db, x2ct_ssim
from dx2ct.metrics.strict import mae_body_hu, psnr_db
from tests.dx2ct.data.quirks import by_hand, chest, degraded, NAMES
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body

MATRIX = [metric for metric in measured(()) if metric.scope != TISSUE and "lpips" not in metric.name]
QUIRKS = {  # of test_the_quirks_by_hand, computed by tests/dx2ct/data/quirks.py at 64 cubed
    "blur 2": (25.706, 29.992, 37.993, 33.634, 0.880, 0.816, 0.803, 0.816),
    "blur 4": (22.527, 26.813, 32.584, 27.805, 0.740, 0.651, 0.592, 0.616),
    "blur 4, 2 % noise": (22.279, 26.567, 27.965, 27.220, 0.677, 0.482, 0.483, 0.494),
}
GOLDEN = {  # of test_golden_values
    "psnr_db": 36.876322,
    "ssim": 0.959177,
    "mae_hu": 27.222624,
    "ssim_slices": 0.776465,
    "mae_body_hu": 38.200612,
    "x2ct_psnr_db": 39.751505,
    "x2ct_psnr_3d_db": 39.751439,
    "x2ct_ssim": 0.838458,
    "perx2ct_psnr_db": 39.751487,
    "perx2ct_ssim": 0.981005,
    "sharpness": 0.990690,
}


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    truth = body(0)
    return truth, (truth + np.random.default_rng(0).normal(0, 100, truth.shape)).astype(np.float32)


def unit(volume: np.ndarray, clip: bool = True) -> np.ndarray:
    scaled = (volume.astype(np.float64) + 1024) / 2500
    return np.clip(scaled, 0, 1) if clip else scaled


def matrix(truth: np.ndarray, image: np.ndarray, plane: str = "axial") -> dict[str, float]:
    """Every metric that needs neither tissues nor networks."""
    values = score(evaluation(truth, image, plane))
    return {metric.name: values[metric.name] for metric in MATRIX}


def flat(size: int = 8) -> np.ndarray:
    return np.full((size,) * 3, -24.0)  # grey level 1000


def by_scikit_image(truth: np.ndarray, image: np.ndarray, plane: str) -> tuple[float, ...]:
    """The four structural similarities slice by slice, in float64."""
    gaussian = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    clipped = [unit(volume) for volume in (truth, image)]
    slices = zip(*[to_plane(volume, plane) for volume in clipped], strict=True)
    each = [
        structural_similarity(*two, data_range=1, win_size=7)
        for axis in range(3)
        for two in zip(*[np.moveaxis(volume, axis, 0) for volume in clipped], strict=True)
    ]
    unclipped = unit(truth), unit(image, clip=False)
    return (
        structural_similarity(*clipped, **gaussian),
        float(np.mean([structural_similarity(*two, **gaussian) for two in slices])),
        float(np.mean(each)),
        structural_similarity(*unclipped, data_range=2, win_size=7),
    )


@pytest.mark.parametrize("plane", PLANES)
def test_similarities_are_scikit_image_s(pair, plane):
    """Also where the prediction leaves the window, which the rules clip differently."""
    for image in (pair[1], pair[1] * np.float32(3)):
        found = astuple(similarities(evaluation(pair[0], image, plane)))
        assert found == pytest.approx(by_scikit_image(pair[0], image, plane), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_quirks_by_hand(name):
    """One pair prints 23 or 32 dB, by rule: against a plain computation of each rule, and against what that printed."""
    truth = chest(64)
    image = degraded(truth)[name]
    plain = by_hand(truth, image)
    values = score(evaluation(truth, image))
    assert {key: values[key] for key in plain} == pytest.approx(plain, abs=1e-6)
    assert list(plain.values()) == pytest.approx(QUIRKS[name], abs=6e-4)


def test_golden_values():
    truth = body(0)
    image = truth + 60 * np.sin(np.arange(truth.size).reshape(truth.shape))
    values = matrix(truth, image, "coronal")
    assert set(values) == set(GOLDEN)
    assert values == pytest.approx(GOLDEN, abs=1e-5), "numbers changed: raise the version of ScoreSettings"


def test_x2ct_is_a_mean_over_slices_of_three_axes():
    """By hand: one voxel of 8 cubed is 100 levels off, so 7 slices of 8 along each axis have no error: 100 dB."""
    image = flat()
    image[1, 2, 3] += 100
    in_slice = 20 * np.log10(4095 / (100 / 8))
    assert x2ct_psnr_db(evaluation(flat(), image)) == pytest.approx((7 * 100 + in_slice) / 8, abs=1e-9)
    assert x2ct_psnr_3d_db(evaluation(flat(), image)) == pytest.approx(20 * np.log10(4095 / (100 / 8**1.5)), abs=1e-9)


def test_perx2ct_is_a_mean_over_columns():
    """By hand: one slice of 8 is 80 levels off; every column sees it, a mean over slices would have 7 of 100 dB."""
    one_slice, one_column = flat(), flat()
    one_slice[4] += 80
    one_column[:, :, 4] += 80
    assert perx2ct_psnr_db(evaluation(flat(), one_slice)) == pytest.approx(
        20 * np.log10(4095 / 80) + 10 * np.log10(8), abs=1e-9
    )
    assert perx2ct_psnr_db(evaluation(flat(), one_column)) == pytest.approx(
        (700 + 20 * np.log10(4095 / 80)) / 8, abs=1e-9
    )


def test_decimals_are_cut_off_before_the_published_psnrs():
    for metric in (x2ct_psnr_db, x2ct_psnr_3d_db, perx2ct_psnr_db):
        assert metric(evaluation(flat(), flat() + 0.9)) == 100
        assert metric(evaluation(flat(), flat() - 0.1)) == pytest.approx(20 * np.log10(4095))
    assert psnr_db(evaluation(flat(), flat() + 0.9)) == pytest.approx(20 * np.log10(2500 / 0.9))


def test_only_the_truth_is_clipped_for_the_published_psnrs():
    metal = flat()
    metal[0] = 1476
    assert x2ct_psnr_3d_db(evaluation(metal + 1000 * (metal == 1476), metal)) == 100
    brighter = evaluation(metal, metal + 1000 * (metal == 1476))
    assert x2ct_psnr_3d_db(brighter) < 45
    assert psnr_db(brighter) == np.inf


def test_the_peak_of_4095_adds_4_286_db(pair):
    truth = np.where(pair[0] == -1024, 0, pair[0])  # far from the window's ends, where nothing is clipped
    image = truth + np.rint(np.random.default_rng(1).uniform(-100, 100, truth.shape))
    both = evaluation(truth, image)
    assert x2ct_psnr_3d_db(both) - psnr_db(both) == pytest.approx(4.286, abs=5e-4)


def test_the_same_volume_prints_very_different_numbers(pair):
    """What the table of the quirks shows: empty slices lift the slice-wise PSNR, a range of 2 hides noise from SSIM."""
    truth, noisy = pair
    noisy = np.where(truth == -1024, truth, noisy)
    slices = np.pad(truth, ((16, 16), (0, 0), (0, 0)), constant_values=-1024)
    image = np.pad(noisy, ((16, 16), (0, 0), (0, 0)), constant_values=-1024)
    padded, plain = evaluation(slices, image), evaluation(truth, noisy)
    assert x2ct_psnr_db(padded) > x2ct_psnr_3d_db(padded) + 5
    assert perx2ct_ssim(plain) > x2ct_ssim(plain) + 0.05


def test_which_metrics_notice_what(pair):
    truth = np.array(body(3))
    images = truth, truth[:, :, ::-1], np.roll(truth, 1, axis=2), truth + 24
    itself, mirrored, shifted, brighter = (matrix(truth, image) for image in images)
    perfect = {"": 1, "dB": 100, "HU": 0}
    assert itself == pytest.approx({m.name: perfect[m.unit] for m in MATRIX} | {"psnr_db": np.inf})
    for changed in (mirrored, shifted, brighter):
        assert all((itself[m.name] - changed[m.name]) * m.better > 1e-4 for m in MATRIX if m.better)
    assert all(shifted[m.name] > mirrored[m.name] for m in MATRIX if m.better > 0)
    # HU + 24, an offset between public data sets: PSNR and MAE see it, SSIM hardly, with a range of 2 least of all
    assert brighter["mae_hu"] == pytest.approx(24) and brighter["psnr_db"] == pytest.approx(20 * np.log10(2500 / 24))
    assert brighter["perx2ct_psnr_db"] == pytest.approx(20 * np.log10(4095 / 24))
    assert brighter["perx2ct_ssim"] > brighter["x2ct_ssim"]
    assert all(brighter[m.name] > shifted[m.name] for m in MATRIX if "SSIM" in m.title)


@pytest.mark.parametrize("plane", PLANES)
def test_slice_wise_metrics_see_the_slices_of_the_plane(pair, plane):
    """A stack of the plane, laid down as a volume, has the same axial scores; of a volume no plane counts."""
    values = matrix(*pair, plane)
    laid_down = matrix(*(np.ascontiguousarray(to_plane(volume, plane)) for volume in pair))
    for metric in MATRIX:
        if metric.scope in (SLICES, VOLUME, BODY):
            assert values[metric.name] == pytest.approx(laid_down[metric.name], abs=1e-6)
        if metric.scope in (VOLUME, BODY):
            assert values[metric.name] == pytest.approx(matrix(*pair)[metric.name], abs=1e-9)


def test_the_body_holds_the_lungs_and_no_table():
    truth = body(0)
    truth[:, 31, 4:28] = 200  # a table under the patient
    _, y, x = np.mgrid[:32, :32, :32] - 16
    inside = (x / 14) ** 2 + (y / 10) ** 2 < 1
    np.testing.assert_array_equal(body_mask(truth), inside)
    image = np.where(inside, truth + 50, truth + 1000)
    assert mae_body_hu(evaluation(truth, image)) == pytest.approx(50)


def test_an_empty_body_is_refused():
    with pytest.raises(InputError, match="body mask is empty"):
        body_mask(np.full((8, 8, 8), -1000))
