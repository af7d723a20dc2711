"""Pictures that are no chest film: limbs, heads, bellies, slices of a CT, pages, photographs, noise. All are drawn."""

from collections.abc import Callable, Sequence
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from dx2ct.predict.pose.looks import written
from dx2ct.predict.pose.network import SIDE

Generator = np.random.Generator
Film = NDArray[np.float32]


def other(generator: Generator, volumes: Sequence[NDArray[np.int16]]) -> Film:
    """(SIDE, SIDE), grey values of any range; volumes: HU (z, y, x) of patients, for slices of them."""
    if generator.random() < 0.15:
        return _slice(generator, volumes[int(generator.integers(len(volumes)))])
    film = np.asarray(KINDS[int(generator.integers(len(KINDS)))](generator), np.float32)
    return _collimated(generator, film) if generator.random() < 0.25 else film


def _collimated(generator: Generator, film: Film) -> Film:
    """With one grey beside a field, as behind a collimator or beside a plate."""
    low, high = generator.uniform([0, 0], [0.3, 0.3]) * SIDE, generator.uniform([0.7, 0.7], [1, 1]) * SIDE
    y, x = np.mgrid[:SIDE, :SIDE]
    both = generator.random() < 0.5  # or the sides alone
    beside = (x < low[0]) | (x > high[0]) | (both & ((y < low[1]) | (y > high[1])))
    grey = film.min() if generator.random() < 0.5 else film.max()
    return np.where(beside, grey, film)


def _slice(generator: Generator, hu: NDArray[np.int16]) -> Film:
    """An axial one: coronal and sagittal ones are too much like films."""
    plane = hu[int(generator.integers(len(hu) // 4, 3 * len(hu) // 4))]
    low, width = generator.choice([-1000, -160]), generator.uniform(300, 1500)
    plane = np.clip((plane - low) / width, 0, 1).astype(np.float32)
    return np.asarray(cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def _bone(film: Film, a: NDArray[np.float64], b: NDArray[np.float64], flesh: float, bone: float) -> None:
    """A stretch of a limb, thickest at its axis, with a shaft and thick ends."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    along = b - a
    t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(float(along @ along), 1e-6), 0, 1)
    off = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
    radius = bone * (1 + 0.5 * np.abs(2 * t - 1) ** 4)
    np.maximum(film, np.sqrt(np.maximum(flesh**2 - off**2, 0)) / flesh * 0.5, out=film)
    film += 0.5 * np.sqrt(np.maximum(radius**2 - off**2, 0)) / bone * (0.6 + 0.4 * (off > 0.6 * radius))


def hand(generator: Generator) -> Film:
    """A hand, or a foot: a row of rays of three bones, behind them small bones and two long ones."""
    film = np.zeros((SIDE, SIDE), np.float32)
    wrist = np.array([SIDE / 2, SIDE * generator.uniform(0.75, 0.95)])
    scale = generator.uniform(0.7, 1.2) * SIDE
    for finger in range(5):
        angle = (finger - 2) * generator.uniform(0.1, 0.3) - math.pi / 2 + generator.normal(0, 0.05)
        direction = np.array([math.cos(angle), math.sin(angle)])
        place, length = wrist + direction * 0.14 * scale, 0.2 * scale * (0.7 if finger in (0, 4) else 1)
        for _ in range(4):
            _bone(film, place, place + direction * length * 0.85, 0.05 * scale, 0.02 * scale)
            place, length = place + direction * length, length * 0.68
    _bone(film, wrist, wrist - np.array([0, 0.16 * scale]), 0.12 * scale, 0.1)  # the palm has next to no bone
    for _ in range(8):
        at = wrist + generator.normal(0, 0.05 * scale, 2)
        _bone(film, at, at + 1, 0.07 * scale, 0.03 * scale)
    for side in (-1, 1):
        at = wrist + np.array([side * 0.05 * scale, 0.05 * scale])
        _bone(film, at, at + np.array([0, SIDE]), 0.08 * scale, 0.035 * scale)
    return film


def _limb(generator: Generator) -> Film:
    """One or two long limbs with a joint: a knee, an elbow, two legs."""
    film = np.zeros((SIDE, SIDE), np.float32)
    for place in generator.uniform(0.2, 0.8, int(generator.integers(1, 3))):
        joint = np.array([place * SIDE, generator.uniform(0.3, 0.7) * SIDE])
        flesh, bone = generator.uniform([6, 2.5], [16, 5])
        for sign in (-1, 1):
            end = joint + np.array([generator.normal(0, 14), sign * SIDE])
            _bone(film, joint + np.array([0, sign * 1.5]), end, flesh, bone)
    return film


def close_limb(generator: Generator) -> Film:
    """A part of a limb that fills the film or more: a shin, a forearm, a knee, an ankle, an upper arm."""
    film = np.zeros((SIDE, SIDE), np.float32)
    flesh, leaning = generator.uniform(18, 48), generator.normal(0, 0.15)
    axis = np.array([leaning, 1.0]) / math.hypot(leaning, 1.0)
    middle = np.array([SIDE * generator.uniform(0.35, 0.65), SIDE * generator.uniform(-0.2, 1.2)])
    for sign in (-1, 1):  # both sides of a joint, which may lie beyond the film
        begin = middle + axis * sign * generator.uniform(0.5, 3)
        end = begin + axis * sign * 2 * SIDE
        width = generator.uniform(0.1, 0.3) * flesh
        apart = width * generator.uniform(0.9, 2.2) * np.array([axis[1], -axis[0]])
        two = generator.random() < 0.6  # two bones beside each other
        thin = generator.uniform(0.4, 1)
        _bone(film, begin + apart * two, end + apart * two, flesh, width)
        if two:
            _bone(film, begin - apart, end - apart, flesh, width * thin)
    for _ in range(int(generator.integers(0, 5))):  # small bones of a joint
        at = middle + generator.normal(0, 0.25 * flesh, 2)
        _bone(film, at, at + axis, flesh * 0.3, flesh * generator.uniform(0.08, 0.25))
    film = cv2.GaussianBlur(film, (0, 0), generator.uniform(0.3, 1.2))
    return np.asarray(film + generator.uniform(0, 0.06) * noise(generator), np.float32)


def _close_hand(generator: Generator) -> Film:
    """A part of a hand or a foot that fills the film."""
    film, share = hand(generator), generator.uniform(0.35, 0.8)
    side = int(share * SIDE)
    top, left = (int(value) for value in generator.integers(0, SIDE - side + 1, 2))
    return np.asarray(cv2.resize(film[top : top + side, left : left + side], (SIDE, SIDE)), np.float32)


def _head(generator: Generator) -> Film:
    """A skull with its face, from the front or the side."""
    film = np.zeros((SIDE, SIDE), np.float32)
    centre = generator.uniform(0.42, 0.58, 2) * SIDE
    half = generator.uniform(0.28, 0.46, 2) * SIDE
    y, x = np.mgrid[:SIDE, :SIDE]
    off = np.hypot((x - centre[0]) / half[0], (y - centre[1]) / half[1])
    film += np.sqrt(np.maximum(1 - off**2, 0)) + 0.8 * np.exp(-(((off - 0.95) / 0.05) ** 2))
    for _ in range(int(generator.integers(2, 6))):
        hole = centre + generator.uniform([-0.4, 0], [0.4, 0.6]) * half
        away = np.hypot(*(np.array([x, y]) - hole[:, None, None])) / generator.uniform(3, 8)
        film -= generator.uniform(0.1, 0.4) * np.exp(-(away**4)).astype(np.float32)
    below = np.array([generator.normal(0, 8), SIDE])
    _bone(film, centre + np.array([0, half[1] / 2]), centre + below, generator.uniform(8, 14), generator.uniform(3, 5))
    return film


def _belly(generator: Generator) -> Film:
    """A belly or a pelvis: a wide body, a spine, gas, two wings of bone, two hips; no lungs."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    film = np.sqrt(np.maximum(1 - (x / generator.uniform(0.7, 1.3)) ** 2, 0)).astype(np.float32)
    spine = SIDE / 2 + generator.normal(0, 2)
    top, end = generator.choice([0, -8]), generator.uniform(0.5, 1.1) * SIDE
    _bone(film, np.array([spine, top]), np.array([spine, end]), 0.1, generator.uniform(2.5, 4.5))
    for _ in range(int(generator.integers(3, 25))):
        place, size = generator.uniform(-0.7, 0.9, 2), generator.uniform(0.04, 0.16)
        film -= generator.uniform(0.05, 0.3) * np.exp(-((np.hypot(x - place[0], y - place[1]) / size) ** 4))
    if generator.random() < 0.6:
        for side in (-1, 1):
            wing = np.hypot((x - side * 0.45) / 0.33, (y - 0.3) / 0.3)
            film += 0.25 * np.exp(-(((wing - 0.8) / 0.25) ** 2)) + 0.3 * np.exp(
                -((np.hypot(x - side * 0.55, y - 0.8) / 0.15) ** 4)
            )
    return np.asarray(film, np.float32)


def noise(generator: Generator) -> Film:
    """Noise between white and very smooth, in one grey or over a gradient."""
    waves = np.fft.fftfreq(SIDE)
    power = np.hypot(waves[:, None], waves) + 1 / SIDE
    spectrum = np.fft.fft2(generator.normal(0, 1, (SIDE, SIDE))) * power ** -generator.uniform(0, 3)
    film = np.fft.ifft2(spectrum).real
    return np.asarray(film / film.std(), np.float32)


def gradient(generator: Generator) -> Film:
    """A smooth change of grey, straight or round, with some noise."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    angle, at = generator.uniform(0, 2 * math.pi), generator.uniform(-1, 1, 2)
    straight, round_ = x * math.cos(angle) + y * math.sin(angle), np.hypot(x - at[0], y - at[1])
    film = generator.choice([0, 1]) * straight + generator.choice([1, -1]) * round_ * generator.uniform(0, 1)
    return np.asarray(film + generator.uniform(0, 0.1) * generator.normal(0, 1, film.shape), np.float32)


def _shapes(generator: Generator) -> Film:
    """Things in a room: polygons, ellipses and lines over each other, each of one grey or shaded, some textured."""
    film = np.full((SIDE, SIDE), generator.uniform(0, 1), np.float32) + generator.uniform(0, 0.5) * gradient(generator)
    for _ in range(int(generator.integers(2, 20))):
        mask = np.zeros((SIDE, SIDE), np.float32)
        centre = generator.uniform(0, SIDE, 2)
        reach = generator.uniform(3, 26)
        if generator.random() < 0.5:
            points = centre + generator.normal(0, reach, (int(generator.integers(3, 6)), 2))
            cv2.fillPoly(mask, [np.int32(points)], 1.0)
        else:
            half = tuple(int(value) for value in generator.uniform(2, reach + 3, 2))
            cv2.ellipse(mask, np.int32(centre).tolist(), half, float(generator.uniform(0, 180)), 0, 360, 1.0, -1)
        inside = generator.uniform(0, 1) + generator.choice([0, 0.2]) * noise(generator) + 0.2 * gradient(generator)
        film = np.where(mask > 0, inside, film)
    return np.asarray(cv2.GaussianBlur(film.astype(np.float32), (0, 0), generator.uniform(0.3, 1.5)))


def _page(generator: Generator) -> Film:
    """Lines of writing, or a table, at some angle."""
    film = np.ones((SIDE, SIDE), np.float32)
    step, left = int(generator.integers(3, 9)), int(generator.integers(1, 10))
    for row in range(int(generator.integers(2, 12)), SIDE - 2, step):
        words = "".join(generator.choice(list("abcdefg hiklmn oprst uvw"), 30))
        if generator.random() < 0.9:
            film -= written(words[: int(generator.integers(5, 30))], (left, row), step / 28)
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), generator.normal(0, 5), generator.uniform(0.6, 1.2))
    return np.asarray(cv2.warpAffine(film, turn, (SIDE, SIDE), borderValue=generator.uniform(0, 1)))


def _body(generator: Generator) -> Film:
    """A trunk without lungs, as of a phantom of water: a body alone, with a middle or without."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    half = generator.uniform(0.4, 1.1, 2)
    film = np.sqrt(np.maximum(1 - (x / half[0]) ** 2 - (y / half[1]) ** 2 * generator.choice([0, 1]), 0))
    film += generator.choice([0, 0.4]) * np.exp(-((x / 0.12) ** 4)) + generator.uniform(0, 0.1) * noise(generator)
    return np.asarray(film, np.float32)


KINDS: tuple[Callable[[Generator], Film], ...] = (
    *(hand, _close_hand, _limb, close_limb, close_limb, _head, _belly, _belly),
    *(noise, gradient, _shapes, _shapes, _shapes, _page, _body),
)
