import numpy as np
import pytest

from dx2ct.metrics import body_mask, measured
from dx2ct.metrics.metric import TISSUE
from dx2ct.metrics.tissue import overlap, tissues
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body


def chest() -> np.ndarray:
    """The test body with a spine of 8 voxels width and a bubble of bowel gas."""
    volume = body(0)
    volume[:, 22:25, 12:20] = 400
    volume[2, 16, 8] = -900
    return volume


def scores_of(truth: np.ndarray, image: np.ndarray) -> dict[str, float]:
    """Every metric of tissues; a voxel has 0.008 ml."""
    both = evaluation(truth, image)
    return {metric.name: metric.function(both) for metric in measured(()) if metric.scope == TISSUE}


def test_tissues_are_found_by_their_hu():
    found = tissues(chest(), body_mask(chest()))
    np.testing.assert_array_equal(found["bone"], chest() == 400)
    np.testing.assert_array_equal(found["soft"], chest() == 40)
    np.testing.assert_array_equal(found["lung"], chest() == -850)  # neither the bubble nor the air outside


def test_dice_by_hand():
    one, other = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    assert np.isnan(overlap(one, other))
    one[0], other[0, :2] = True, True
    assert overlap(one, other) == pytest.approx(2 * 8 / 24)
    assert overlap(one, one) == 1 and overlap(one, ~one) == 0


def test_a_volume_is_itself():
    scores = scores_of(chest(), chest())
    assert {name: value for name, value in scores.items() if value != 0} == dict.fromkeys(
        ("dice_lung", "dice_soft", "dice_bone"), 1
    )


def test_what_changes_in_one_tissue_is_seen_there():
    image = chest().astype(np.float32)
    image[chest() == 400] = 150  # bone lost
    lung = np.argwhere(chest() == -850)[:100]
    image[tuple(lung.T)] = 40  # 100 voxels of lung filled
    scores = scores_of(chest(), image)
    assert scores["dice_bone"] == 0 and scores["bias_bone_hu"] == -250
    assert scores["lung_volume_error_ml"] == pytest.approx(-0.8)
    count = np.count_nonzero(chest() == -850)
    assert scores["bias_lung_hu"] == pytest.approx(890 * 100 / count)
    assert scores["dice_lung"] == pytest.approx(2 * (count - 100) / (2 * count - 100))
    assert scores["bias_soft_hu"] == 0 and scores["dice_soft"] < 1


def test_a_tissue_that_is_not_there_is_nan():
    scores = scores_of(body(0), body(0))
    assert np.isnan(scores["dice_bone"]) and np.isnan(scores["bias_bone_hu"])


def test_an_image_of_air_has_no_tissue_and_scores_nothing():
    scores = scores_of(chest(), np.full(chest().shape, -1000))
    assert scores["dice_lung"] == scores["dice_soft"] == scores["dice_bone"] == 0
    assert scores["lung_volume_error_ml"] == pytest.approx(-0.008 * np.count_nonzero(chest() == -850))


@pytest.mark.parametrize(
    ("change", "notice"),
    [
        ("mirror", {"dice_lung", "dice_bone"}),
        ("shift", {"dice_lung", "dice_bone"}),
        ("brighter", {"bias_lung_hu", "bias_soft_hu", "bias_bone_hu"}),
    ],
)
def test_which_tissue_scores_notice_what(change, notice):
    truth = chest()
    truth[:, 22:25, 12:15] = 40  # now the spine is not symmetric
    image = {"mirror": truth[:, :, ::-1], "shift": np.roll(truth, 1, axis=2), "brighter": truth + 24}[change]
    itself, scores = scores_of(truth, truth), scores_of(truth, image)
    seen = {name for name in notice if abs(scores[name] - itself[name]) > 0.02}
    assert seen == notice
    if change == "brighter":
        assert scores["bias_soft_hu"] == scores["bias_lung_hu"] == 24 and scores["dice_lung"] == 1
