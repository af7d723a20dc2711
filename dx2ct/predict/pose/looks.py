"""Films made of line integrals: where the film's edges are, how the system shows it, and what else lies on it.

A curve of grey values is not among it, because the network sees ranks; what a curve cuts off is.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.film import develop, draw_look
from drr.geometry import PRESETS
from dx2ct.predict.pose.network import SIDE

Generator = np.random.Generator
Film = NDArray[np.float32]
DETECTOR = PRESETS["chest_film"].with_pixels(SIDE).view("pa", (0.0, 0.0, 0.0))
_LETTERS = ("L", "R", "PA", "AP", "erect", "LL", "12", "portable")


def framed(
    generator: Generator, lengths: NDArray[np.floating], lungs: tuple[float, float], least: float = 0.62
) -> tuple[Film, Film]:
    """A random field of an X-ray, turned by some degrees, (2, SIDE, SIDE); where the lungs end in it, two shares.

    A field shows most of the lungs' height. lengths: mm of soft tissue and of bone, (2, row, column), square. least: of
    its height, as a share of the X-ray's.
    """
    size = lengths.shape[1]
    height = generator.uniform(least, 0.98)
    width = np.clip(height * generator.uniform(0.75, 1.25), least - 0.07, 1.0)
    middle = np.clip(generator.normal(0.47, 0.05), height / 2 - 0.06, 1.06 - height / 2)
    across = 0.5 + generator.normal(0, 0.035)
    angle = math.radians(generator.normal(0, 4))
    cos, sin = math.cos(angle), math.sin(angle)
    stretch = np.array([[cos * width, -sin * height], [sin * width, cos * height]]) * size / SIDE
    centre = np.array([across, middle]) * size - 0.5
    place = np.column_stack([stretch, centre - stretch @ np.full(2, (SIDE - 1) / 2)])
    field = cv2.warpAffine(
        np.asarray(lengths, np.float32).transpose(1, 2, 0),
        place,
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    ends = np.asarray([(end - middle) / height + 0.5 for end in lungs], np.float32)
    return np.ascontiguousarray(field.transpose(2, 0, 1)), ends


def looked(generator: Generator, lengths: Film, masses: float = 0.0) -> Film:
    """A film, (SIDE, SIDE), of the path lengths of a field, bone bright: by physics, or by what else may come.

    masses: a share of films with soft tissue added where most patients have none.
    """
    if masses and generator.random() < masses:
        lengths = _masses(generator, lengths)
    if generator.random() < 0.5:
        film = develop(np.maximum(lengths, 0), DETECTOR, generator, draw_look(generator)).shown
    else:
        film = _rough(generator, lengths[0] + generator.uniform(1, 4) * lengths[1])
    if generator.random() < 0.5:
        film = _letters(generator, film)
    return np.asarray(_collimated(generator, film) if generator.random() < 0.3 else film, np.float32)


def _masses(generator: Generator, lengths: Film) -> Film:
    """Soft tissue where most patients have none, at either side alike: a bulge beside the heart tells no side."""
    found = lengths.copy()
    for _ in range(int(generator.integers(1, 4))):
        drawn = np.zeros(lengths.shape[1:], np.float32)
        centre = (int(generator.normal(SIDE / 2, SIDE / 6)), int(generator.normal(SIDE / 2, SIDE / 5)))
        half = tuple(int(value) for value in generator.integers(2, 13, 2))
        cv2.ellipse(drawn, centre, half, float(generator.uniform(0, 180)), 0, 360, 1.0, -1)
        found[0] += generator.uniform(10, 90) * _blurred(drawn, generator.uniform(0.5, 3))
    return found


def _rough(generator: Generator, film: Film) -> Film:
    """Broader than any system: other scatter, curves, shades, wires, noise and saturation than are known."""
    film = film / max(float(np.percentile(film, 98)), 1e-3)
    film = _scattered(generator, film)
    for _ in range(int(generator.integers(0, 3))):
        film = film + generator.uniform(-0.3, 1.2) * (film - _blurred(film, generator.uniform(1.5, 12)))
    film = film + _slope(generator, generator.uniform(0, 0.12))
    for thing in (_wires, _devices, _shadows):
        if generator.random() < 0.2:
            film = thing(generator, film)
    film = film + generator.normal(0, 1, film.shape) * generator.choice([0.0, generator.uniform(0, 0.06)])
    if generator.random() < 0.3:
        film = _blurred(film, generator.uniform(0.3, 1.2))
    low = np.percentile(film, generator.choice([0, generator.uniform(0, 25)]))
    high = np.percentile(film, generator.choice([100, generator.uniform(60, 100)], p=[0.6, 0.4]))
    return np.asarray(np.clip(film, low, max(high, low + 1e-3)), np.float32)


def _blurred(film: Film, sigma: float) -> Film:
    return np.asarray(cv2.GaussianBlur(film, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def _scattered(generator: Generator, film: Film) -> Film:
    """Scatter adds a blurred part of what arrives: thick places lose their contrast."""
    arrives = np.exp(-generator.uniform(0.5, 5) * film)
    arrives += generator.uniform(0, 0.6) * _blurred(arrives, generator.uniform(4, 16))
    if generator.random() < 0.3:
        return np.asarray(-(arrives ** generator.uniform(0.3, 1)), np.float32)
    return np.asarray(-np.log(arrives + generator.uniform(0, 0.02)), np.float32)


def _slope(generator: Generator, share: float) -> Film:
    angle = generator.uniform(0, 2 * math.pi)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return np.asarray(share * (x * math.cos(angle) + y * math.sin(angle)), np.float32)


def _wires(generator: Generator, film: Film) -> Film:
    """Cables and tubes."""
    drawn = np.zeros_like(film)
    for _ in range(int(generator.integers(1, 5))):
        points = np.cumsum(np.vstack([generator.uniform(0, SIDE, 2), generator.normal(0, 9, (6, 2))]), axis=0)
        cv2.polylines(drawn, [np.int32(points * 8)], False, 1.0, 1, cv2.LINE_AA, 3)
    return np.asarray(film + generator.uniform(0.05, 0.4) * drawn)


def _devices(generator: Generator, film: Film) -> Film:
    """A pacemaker, a button, a plate: bright, with sharp edges."""
    drawn = np.zeros_like(film)
    x, y = (int(value) for value in generator.integers(4, SIDE - 4, 2))
    half = tuple(int(value) for value in generator.integers(1, 6, 2))
    cv2.ellipse(drawn, (x, y), half, float(generator.uniform(0, 180)), 0, 360, 1.0, -1)
    return np.asarray(film + generator.uniform(0.1, 1) * drawn)


def _shadows(generator: Generator, film: Film) -> Film:
    """Arms, breasts, a chin, fluid: soft, broad, anywhere."""
    drawn = np.zeros_like(film)
    for _ in range(int(generator.integers(1, 4))):
        centre = tuple(int(value) for value in generator.integers(-8, SIDE + 8, 2))
        half = tuple(int(value) for value in generator.integers(4, 20, 2))
        cv2.ellipse(drawn, centre, half, float(generator.uniform(0, 180)), 0, 360, 1.0, -1)
    return np.asarray(film + generator.uniform(0.03, 0.3) * _blurred(drawn, generator.uniform(0.5, 4)))


def _letters(generator: Generator, film: Film) -> Film:
    """Marks at a side, the letter of neither side telling where it is."""
    film = film.copy()
    for _ in range(int(generator.integers(1, 4))):
        x, y = (int(value) for value in generator.integers(0, SIDE - 4, 2))
        grey = float(generator.choice([film.max(), film.min()], p=[0.8, 0.2]))
        mask = written(str(generator.choice(_LETTERS)), (x, y + 6), generator.uniform(0.15, 0.35))
        film += mask * (grey - film)
    return film


def written(text: str, place: tuple[int, int], scale: float) -> Film:
    """Letters of 1 on 0, (SIDE, SIDE), their lower left corner at a place (x, y)."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.putText(mask, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    return np.asarray(mask / 255, np.float32)


def _collimated(generator: Generator, film: Film) -> Film:
    """Black or white beyond some of four edges, which may be turned against the film."""
    angle = math.radians(generator.normal(0, 2))
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    outside = np.zeros(film.shape, bool)
    for place in (x, -x, y, -y):
        if generator.random() < 0.5:
            outside |= place > 1 - 2 * generator.uniform(0, 0.13)
    grey = film.min() if generator.random() < 0.6 else film.max()
    return np.asarray(np.where(outside, grey, film), np.float32)
