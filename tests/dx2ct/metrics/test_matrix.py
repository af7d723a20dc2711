"""The metric matrix: agreement with scikit-image, hand-computed quirks, and which metrics notice what."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from drr.errors import InputError
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.metrics import (
    body_mask,
    COLUMNS,
    mae_body_hu,
    perx2ct_psnr_db,
    perx2ct_ssim,
    psnr_db,
    score_pair,
    ssim,
    ssim_slices,
    x2ct_psnr_3d_db,
    x2ct_psnr_db,
    x2ct_ssim,
)
from dx2ct.metrics.fast import ssims
from tests.dx2ct.data.quirks import by_hand, chest, degraded, NAMES
from tests.dx2ct.tiny_run import body

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
}


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    truth = body(0)
    return truth, (truth + np.random.default_rng(0).normal(0, 100, truth.shape)).astype(np.float32)


def unit(volume: np.ndarray, clip: bool = True) -> np.ndarray:
    scaled = (volume.astype(np.float64) + 1024) / 2500
    return np.clip(scaled, 0, 1) if clip else scaled


def flat(size: int = 8) -> np.ndarray:
    return np.full((size,) * 3, -24.0)  # grey level 1000


def test_ssims_are_scikit_image_s(pair):
    gaussian = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    clipped = [unit(volume) for volume in pair]
    slices = [structural_similarity(*two, **gaussian) for two in zip(*clipped, strict=True)]
    assert ssim_slices(*pair) == pytest.approx(np.mean(slices), abs=1e-6)
    each = [
        structural_similarity(*two, data_range=1, win_size=7)
        for axis in range(3)
        for two in zip(*[np.moveaxis(volume, axis, 0) for volume in clipped], strict=True)
    ]
    assert x2ct_ssim(*pair) == pytest.approx(np.mean(each), abs=1e-6)
    unclipped = [unit(pair[0])[None], unit(pair[1], clip=False)[None]]
    expected = structural_similarity(*unclipped, data_range=2, win_size=7, channel_axis=0)
    assert perx2ct_ssim(*pair) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("plane", PLANES)
def test_the_fast_path_is_the_plain_one(pair, plane):
    """Also where the prediction leaves the window, which the rules clip differently."""
    for image in (pair[1], pair[1] * np.float32(3)):
        stacks = to_plane(pair[0], plane), to_plane(image, plane)
        plain = {"ssim": ssim(pair[0], image), "ssim_slices": ssim_slices(*stacks)}
        plain |= {"x2ct_ssim": x2ct_ssim(pair[0], image), "perx2ct_ssim": perx2ct_ssim(*stacks)}
        assert ssims(pair[0], image, plane) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_quirks_by_hand(name):
    """One pair prints 23 or 32 dB, by rule: against a plain computation of each rule, and against what that printed."""
    truth = chest(64)
    image = degraded(truth)[name]
    plain = by_hand(truth, image)
    values = score_pair(truth, image, body_mask(truth), "axial", 2500)
    assert {key: values[key] for key in plain} == pytest.approx(plain, abs=1e-6)
    assert list(plain.values()) == pytest.approx(QUIRKS[name], abs=6e-4)


def test_golden_values():
    truth = body(0)
    image = truth + 60 * np.sin(np.arange(truth.size).reshape(truth.shape))
    values = score_pair(truth, image, body_mask(truth), "coronal", 2500)
    assert list(values) == list(COLUMNS)
    assert values == pytest.approx(GOLDEN, abs=1e-5), "numbers changed: bump VERSION in score.py and rules/common.smk"


def test_x2ct_is_a_mean_over_slices_of_three_axes():
    """By hand: one voxel of 8 cubed is 100 levels off, so 7 slices of 8 along each axis have no error: 100 dB."""
    image = flat()
    image[1, 2, 3] += 100
    in_slice = 20 * np.log10(4095 / (100 / 8))
    assert x2ct_psnr_db(flat(), image) == pytest.approx((7 * 100 + in_slice) / 8, abs=1e-9)
    assert x2ct_psnr_3d_db(flat(), image) == pytest.approx(20 * np.log10(4095 / (100 / 8**1.5)), abs=1e-9)


def test_perx2ct_is_a_mean_over_columns():
    """By hand: one slice of 8 is 80 levels off; every column sees it, a mean over slices would have 7 of 100 dB."""
    one_slice, one_column = flat(), flat()
    one_slice[4] += 80
    one_column[:, :, 4] += 80
    assert perx2ct_psnr_db(flat(), one_slice) == pytest.approx(20 * np.log10(4095 / 80) + 10 * np.log10(8), abs=1e-9)
    assert perx2ct_psnr_db(flat(), one_column) == pytest.approx((700 + 20 * np.log10(4095 / 80)) / 8, abs=1e-9)


def test_decimals_are_cut_off_before_the_published_psnrs():
    for metric in (x2ct_psnr_db, x2ct_psnr_3d_db, perx2ct_psnr_db):
        assert metric(flat(), flat() + 0.9) == 100
        assert metric(flat(), flat() - 0.1) == pytest.approx(20 * np.log10(4095))
    assert psnr_db(flat(), flat() + 0.9, 2500) == pytest.approx(20 * np.log10(2500 / 0.9))


def test_only_the_truth_is_clipped_for_the_published_psnrs():
    metal = flat()
    metal[0] = 1476
    assert x2ct_psnr_3d_db(metal + 1000 * (metal == 1476), metal) == 100
    assert x2ct_psnr_3d_db(metal, metal + 1000 * (metal == 1476)) < 45
    assert psnr_db(metal, metal + 1000 * (metal == 1476), 2500) == np.inf


def test_the_peak_of_4095_adds_4_286_db(pair):
    truth = np.where(pair[0] == -1024, 0, pair[0])  # far from the window's ends, where nothing is clipped
    image = truth + np.rint(np.random.default_rng(1).uniform(-100, 100, truth.shape))
    assert x2ct_psnr_3d_db(truth, image) - psnr_db(truth, image, 2500) == pytest.approx(4.286, abs=5e-4)


def test_the_same_volume_prints_very_different_numbers(pair):
    """What the table of the quirks shows: empty slices lift the slice-wise PSNR, a range of 2 hides noise from SSIM."""
    truth, noisy = pair
    noisy = np.where(truth == -1024, truth, noisy)
    slices = np.pad(truth, ((16, 16), (0, 0), (0, 0)), constant_values=-1024)
    image = np.pad(noisy, ((16, 16), (0, 0), (0, 0)), constant_values=-1024)
    assert x2ct_psnr_db(slices, image) > x2ct_psnr_3d_db(slices, image) + 5
    assert perx2ct_ssim(truth, noisy) > x2ct_ssim(truth, noisy) + 0.05


def test_which_metrics_notice_what(pair):
    truth = np.array(body(3))
    mask = body_mask(truth)

    def scores(image: np.ndarray) -> dict[str, float]:
        return score_pair(truth, image, mask, "axial", 2500)

    itself, mirrored, shifted = scores(truth), scores(truth[:, :, ::-1]), scores(np.roll(truth, 1, axis=2))
    brighter = scores(truth + 24)
    errors = {"mae_hu", "mae_body_hu"}
    perfect = {name: 0 if name in errors else 1 if "ssim" in name else 100 for name in COLUMNS} | {"psnr_db": np.inf}
    assert itself == pytest.approx(perfect)
    for changed in (mirrored, shifted, brighter):
        worse = {name for name in COLUMNS if (changed[name] - itself[name]) * (1 if name in errors else -1) > 1e-4}
        assert worse == set(COLUMNS)
    assert all(shifted[name] > mirrored[name] for name in COLUMNS if name not in errors)
    # HU + 24, an offset between public data sets: PSNR and MAE see it, SSIM hardly, with a range of 2 least of all
    assert brighter["mae_hu"] == pytest.approx(24) and brighter["psnr_db"] == pytest.approx(20 * np.log10(2500 / 24))
    assert brighter["perx2ct_psnr_db"] == pytest.approx(20 * np.log10(4095 / 24))
    assert brighter["perx2ct_ssim"] > brighter["x2ct_ssim"]
    within = [name for name in COLUMNS if "ssim" in name]
    assert all(brighter[name] > shifted[name] for name in within)


@pytest.mark.parametrize("plane", PLANES)
def test_slice_wise_metrics_see_the_slices_of_the_plane(pair, plane):
    truth, image = pair
    values = score_pair(truth, image, body_mask(truth), plane, 2500)
    stacks = to_plane(truth, plane), to_plane(image, plane)
    assert values["ssim_slices"] == pytest.approx(ssim_slices(*stacks), abs=1e-6)
    assert values["perx2ct_psnr_db"] == pytest.approx(perx2ct_psnr_db(*stacks), abs=1e-9)
    assert values["ssim"] == pytest.approx(ssim(truth, image), abs=1e-6)


def test_the_body_holds_the_lungs_and_no_table():
    truth = body(0)
    truth[:, 31, 4:28] = 200  # a table under the patient
    _, y, x = np.mgrid[:32, :32, :32] - 16
    inside = (x / 14) ** 2 + (y / 10) ** 2 < 1
    np.testing.assert_array_equal(body_mask(truth), inside)
    image = np.where(inside, truth + 50, truth + 1000)
    assert mae_body_hu(truth, image, body_mask(truth)) == pytest.approx(50)


def test_an_empty_body_is_refused():
    with pytest.raises(InputError, match="body mask is empty"):
        body_mask(np.full((8, 8, 8), -1000))
