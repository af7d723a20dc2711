"""The judge of films: laws of what it sees and says, what its published weights know, and how they are made."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
import skimage.data
import torch

from drr.errors import InputError
from drr.film import develop, draw_look
from dx2ct.predict.framing import Framing
from dx2ct.predict.pose import network, others, patients, told, train
from dx2ct.predict.pose.looks import _masses, framed, looked
from dx2ct.predict.pose.network import after, judge, judged, Pose, PoseNetwork, standardised, TURNS
from dx2ct.predict.read import read_xray
from dx2ct.predict.turn import AS_IT_IS, MIRRORED, QUARTERS
from tests.conftest import ROOT

CERTAIN = dict.fromkeys(network.VIEWS, 0.0)


def pose(
    view: str = "pa", quarter: int = 0, mirrored: float = 0.0, negative: float = 0.0, share: float = 0.995
) -> Pose:
    """A certain answer."""
    up = [(1 - share) / 3] * 4
    up[quarter] = share
    return Pose(CERTAIN | {view: share}, tuple(up), {"pa": mirrored, "lateral": mirrored}, negative, (0.2, 0.8))


def example(view: str) -> np.ndarray:
    return read_xray(ROOT / f"examples/chest_{view}.mha").pixels


def test_only_the_order_of_grey_values_is_seen():
    film = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32).round(2)
    seen = standardised(film)
    assert seen.min() >= -1 and seen.max() <= 1 and abs(seen.mean()) < 1e-6
    np.testing.assert_allclose(standardised(np.exp(film / 4) * 100), seen, atol=1e-3)
    np.testing.assert_allclose(standardised(-film), -seen, atol=1e-6)


def test_a_turned_mirrored_or_inverted_film_is_judged_alike():
    torch.manual_seed(0)
    model, film = PoseNetwork().eval(), np.random.default_rng(1).uniform(-1, 1, (200, 170)).astype(np.float32)
    plain = judge(model, film)
    for (number, turn), sign in product(enumerate(TURNS), (1, -1)):
        found = judge(model, np.ascontiguousarray(sign * turn.of(film)))
        assert found.views == pytest.approx(plain.views, abs=1e-5)
        assert found.negative == pytest.approx(plain.negative if sign == 1 else 1 - plain.negative, abs=1e-5)
        best = QUARTERS[int(np.argmax(found.up))].then(MIRRORED if found.mirrored["pa"] > 0.5 else AS_IT_IS)
        first = QUARTERS[int(np.argmax(plain.up))].then(MIRRORED if plain.mirrored["pa"] > 0.5 else AS_IT_IS)
        assert turn.then(best) == first and TURNS[after(number, first)] == best
        assert sorted(found.up) == pytest.approx(sorted(plain.up), abs=1e-5)
        assert found.lungs == pytest.approx(plain.lungs, abs=1e-5)


def test_the_eight_turns_are_the_words_of_the_command_line():
    assert len(set(TURNS)) == 8
    for turn in TURNS:
        rotate, flip = told.rotate_and_flip(turn)
        assert Framing(rotate=rotate, flip=flip).turn == turn


@pytest.mark.parametrize(
    ("given", "found", "how", "line"),
    [
        ("pa", pose(), Framing(), None),
        ("lateral", pose("lateral"), Framing(), None),
        ("oblique", pose("other"), Framing(), None),
        ("pa", pose("other"), Framing(),
         "it does not look like a chest X-ray (99.5 % sure, {}): is it the right file?"),
        ("pa", pose(quarter=2), Framing(), "it looks upside down (99.5 % sure, {}): --rotate pa:180"),
        ("pa", pose(quarter=2), Framing(rotate=180),
         "it looks upside down (99.5 % sure, {}): leave --rotate and --flip out"),
        ("pa", pose(quarter=1), Framing(), "it seems to be turned by 270 degrees (99.5 % sure, {}): --rotate pa:90"),
        ("lateral", pose("lateral", mirrored=0.97), Framing(),
         "the front of the chest seems to be at the right (97 % sure, {}): --flip lateral"),
        ("pa", pose("lateral"), Framing(), "it looks like a lateral X-ray (99.5 % sure, {}): give it as --lateral"),
        ("lateral", pose("lateral", mirrored=0.87), Framing(), None),
        ("pa", pose(mirrored=0.87), Framing(),
         "its heart seems to lie at the image's left, mirrored or a heart on the right side (87 % sure, {}): "
         "--flip pa"),
        ("pa", pose(mirrored=0.75), Framing(), None),
        ("pa", pose(negative=0.97), Framing(), "its bone looks dark (97 % sure, {}): --invert pa"),
        ("pa", pose(negative=0.97), Framing(invert=True), "its bone looks dark (97 % sure, {}): leave --invert pa out"),
    ],
)  # fmt: skip
def test_a_contradiction_names_its_cure(given: str, found: Pose, how: Framing, line: str | None):
    why = "by a small network, at times wrong; look at --preview"
    assert told.doubts(given, found, how) == ([line.format(why)] if line else [])


def test_dark_bone_of_line_integrals_has_a_cure_that_is_no_option():
    (said,) = told.doubts("pa", pose(negative=0.97), Framing(), is_film=False)
    assert "its bone looks dark" in said and "--invert" not in said and said.endswith("they are -log(I / I0)")


def test_what_the_header_says_is_doubted_only_when_sure():
    likely = pose(quarter=2, share=0.95)
    assert told.doubts("pa", likely, Framing()) and not told.doubts("pa", likely, Framing(), is_oriented=True)
    sure = told.doubts("pa", pose("lateral"), Framing(), is_said=True)
    assert len(sure) == 1 and "whatever its ViewPosition says" in sure[0]
    assert not told.doubts("pa", pose("lateral", share=0.95), Framing(), is_said=True)


def test_lungs_of_unlike_heights_and_of_no_adult_are_said():
    assert told.lungs_mm("pa", pose(), 400) == pytest.approx(240)
    assert told.lungs_mm("pa", pose(quarter=2), 400) is None and told.lungs_mm("pa", pose("lateral"), 400) is None
    assert told.size_doubts("pa", 240, False) == told.size_doubts("pa", None, True) == []
    assert told.size_doubts("pa", 110, False) == [
        "its lungs look 110 mm high, an adult's are 150 to 350: a child, or a wrong scale (--spacing-mm pa:MM)"
    ]
    assert told.pair_doubts({"pa": 240, "lateral": 250}) == told.pair_doubts({"pa": 100}) == []
    assert told.pair_doubts({"pa": 180, "lateral": 290}) == [
        "the lungs look 180 mm high in the PA X-ray and 290 mm in the lateral one: two patients, or a wrong scale of "
        "one (--spacing-mm VIEW:MM)"
    ]


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_rendered_chests_are_judged_right_whichever_way_they_lie(view: str):
    for turn, sign in product(TURNS, (1, -1)):
        found = judged(np.ascontiguousarray(sign * turn.of(example(view))))
        assert max(found.views, key=lambda name: found.views[name]) == view
        upright = QUARTERS[int(np.argmax(found.up))].then(MIRRORED if found.mirrored[view] > 0.5 else AS_IT_IS)
        assert upright == turn.undone
        assert (found.negative > 0.5) == (sign == -1)


def test_hands_are_no_chest_and_hardly_any_photograph_is():
    generator = np.random.default_rng(99)
    assert min(judged(others.hand(generator)).views["other"] for _ in range(6)) > told.NO_CHEST
    close = [judged(others.close_limb(generator)).views["other"] > told.NO_CHEST for _ in range(20)]
    assert sum(close) >= 14
    names = [
        "camera",
        "astronaut",
        "coins",
        "page",
        "moon",
        "text",
        "brick",
        "grass",
        "gravel",
        "chelsea",
        "coffee",
        "rocket",
        "retina",
        "cell",
        "horse",
    ]
    photographs = [np.asarray(getattr(skimage.data, name)(), np.float32) for name in names]
    grey = [photo[..., :3].mean(axis=-1) if photo.ndim == 3 else photo for photo in photographs]
    told_so = [bool(told.doubts("pa", judged(photo), Framing())) for photo in grey]
    assert sum(told_so) >= len(names) - 2  # the retina looks like a chest to it


def test_where_lungs_end_is_where_the_phantom_has_them():
    from dx2ct.data.sources.phantom.anatomy import draw_varied

    anatomy, hu = draw_varied(3), patients.phantom(3)
    above, below = patients.lungs(hu)
    middle = (patients.GRID.size - 1) / 2
    for found, z in ((above, anatomy.apex), (below, anatomy.base)):
        assert abs((found - middle) * patients.GRID.spacing_mm - z) < 30
    one = next(patients.exposed(np.random.default_rng(0), hu))
    assert one.pa.shape == (2, patients.PIXELS, patients.PIXELS)
    assert 0 < one.lungs[0] < one.lungs[1] < 1


def test_a_training_is_the_same_twice_and_says_what_it_saw(tmp_path: Path):
    hu = patients.phantom(4)
    made = train.Bank(list(patients.exposed(np.random.default_rng(0), hu)), [], [hu])
    cycles = [replace(cycle, steps=2) for cycle in train.CYCLES]
    first, second = (train.trained(made, 1, cycles).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    model = PoseNetwork()
    model.load_state_dict(first)
    train.write(model, tmp_path / "w.safetensors", 1)
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        header = file.metadata()
        assert (
            all(name in header["trained_on"] for name in train.SCANS)
            and file.get_tensor("heads.bias").dtype == torch.float16
        )
    with safe_open(network.WEIGHTS, "pt") as file:
        assert file.metadata()["trained_on"] == header["trained_on"]


def test_a_scan_that_is_missing_is_one_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"no R01-001-2mm\.zip or \.nii\.gz: it is one of the scans"):
        train.file_of(tmp_path, "R01-001-2mm")


def test_a_field_moves_the_lungs_ends_with_it():
    lengths = np.zeros((2, 96, 96), np.float32)
    lengths[0, 24:72] = 100.0
    for seed in range(5):
        field, ends = framed(np.random.default_rng(seed), lengths, (0.25, 0.75))
        middle = field[0, :, 28:36].mean(axis=1) > 50
        rows = np.flatnonzero(middle)
        assert abs(rows[0] / 64 - max(ends[0], 0)) < 0.06 and abs((rows[-1] + 1) / 64 - min(ends[1], 1)) < 0.06
        film = looked(np.random.default_rng(seed), field)
        assert film.shape == (64, 64) and np.isfinite(film).all()


def test_masses_add_soft_tissue_alone_and_lie_at_no_side():
    lengths = np.zeros((2, 64, 64), np.float32)
    found = [_masses(np.random.default_rng(seed), lengths) for seed in range(300)]
    assert all(one[0].max() > 1 and one.min() >= 0 and not one[1].any() for one in found)
    left, right = (np.mean([one[0, :, part].mean() for one in found]) for part in (slice(32), slice(32, 64)))
    assert abs(left - right) < 0.15 * (left + right)
    film = [looked(np.random.default_rng(1), np.ones((2, 64, 64), np.float32), masses) for masses in (0.0, 1.0)]
    assert not np.array_equal(*film)


def test_the_ends_of_the_lungs_are_those_of_the_whole_film():
    """A crop sees them elsewhere: each answer is brought back before the mean."""

    class Fixed(PoseNetwork):
        def forward(self, films):
            found = super().forward(films)
            rows = [[0.1, 0.9]] * len(films)
            return found | {"lungs": torch.tensor(rows)}

    found = judge(Fixed().eval(), np.random.default_rng(2).uniform(size=(200, 170)))
    above, below = np.array([(top, 1 - bottom) for top, bottom, _, _ in network.CROPS]).T
    height = below - above
    assert found.lungs == pytest.approx((np.mean(above + 0.1 * height), np.mean(above + 0.9 * height)))


def test_films_of_a_phantom_in_many_looks_are_judged_right():
    from dx2ct.predict.pose.looks import DETECTOR

    generator, right = np.random.default_rng(5), []
    for one in patients.exposed(generator, patients.phantom(5)):
        for view in ("pa", "lateral"):
            for _ in range(5):
                lengths, _ = framed(generator, getattr(one, view), one.lungs)
                film = develop(np.maximum(lengths, 0), DETECTOR, generator, draw_look(generator)).shown
                right.append(not told.doubts(view, judged(film), Framing()))
    assert np.mean(right) > 0.85
