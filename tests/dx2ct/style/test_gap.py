"""The domain gap: chance where nothing differs, 1 where everything does."""

from functools import partial

import numpy as np
import pytest

from dx2ct.style.classifiers import by_image, by_looks, network
from dx2ct.style.gap import Classifier, CLASSIFIERS, gap

QUICK = {"whole image": Classifier(by_image, partial(network, epochs=5)), "looks alone": CLASSIFIERS["looks alone"]}


def blobs(count: int, seed: int, brighter: float = 0.0) -> list[np.ndarray]:
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] / 64
    images = []
    for _ in range(count):
        place = chance.uniform(0.3, 0.7, 2)
        image = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 0.02) + brighter * (x > 0.5)
        images.append(np.clip(image + 0.05 * chance.standard_normal((64, 64)), 0, 1).astype(np.float32))
    return images


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_kinds_that_do_not_differ_are_told_apart_by_chance(name: str):
    assert 0.3 < gap(blobs(30, 0), blobs(30, 1), QUICK[name]).accuracy < 0.7


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_kinds_that_differ_are_told_apart_and_the_same_seed_says_the_same(name: str):
    first, second = blobs(20, 0), blobs(30, 1, brighter=0.5)
    found = gap(first, second, QUICK[name], asked=[0, 1, 2])
    assert found.accuracy > 0.9 and found.of_second == 1.0
    assert gap(first[:6], second[:9], QUICK[name]) == gap(first[:6], second[:9], QUICK[name])


def test_looks_have_no_place():
    """A mirrored image looks the same."""
    image = blobs(1, 0, brighter=0.3)[0]
    np.testing.assert_allclose(by_looks([image]), by_looks([image[:, ::-1].copy()]), atol=1e-6)
    assert not np.allclose(by_looks([image]), by_looks([0.5 * image]))
