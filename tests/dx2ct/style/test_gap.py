"""The domain gap: chance where nothing differs, 1 where everything does."""

import numpy as np

from dx2ct.style.gap import gap


def blobs(count: int, seed: int, brighter: float = 0.0) -> list[np.ndarray]:
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] / 64
    images = []
    for _ in range(count):
        place = chance.uniform(0.3, 0.7, 2)
        image = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 0.02) + brighter * (x > 0.5)
        images.append(np.clip(image + 0.05 * chance.standard_normal((64, 64)), 0, 1).astype(np.float32))
    return images


def test_kinds_that_do_not_differ_are_told_apart_by_chance():
    assert 0.3 < gap(blobs(30, 0), blobs(30, 1), epochs=3).accuracy < 0.7


def test_kinds_that_differ_are_told_apart_and_the_same_seed_says_the_same():
    first, second = blobs(20, 0), blobs(30, 1, brighter=0.5)
    found = gap(first, second, asked=[0, 1, 2], epochs=8)
    assert found.accuracy > 0.9 and found.of_second == 1.0
    assert gap(first[:6], second[:9], epochs=1) == gap(first[:6], second[:9], epochs=1)
