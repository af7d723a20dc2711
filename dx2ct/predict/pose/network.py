"""A small network that judges how a film lies: view, quarter turn, mirror, polarity, ends of the lungs.

What it sees are ranks of grey values: no curve of a film's system, rising or falling, changes more than a sign.
It looks at a film, whole and cropped, in all eight turns and mirrors, as it is and inverted. The answers are brought
back and averaged: they tell which way is up, and whether bone is dark. Brought upright and positive, seven crops and
their mirror images tell the rest. So a film that is turned, mirrored or inverted is judged alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
import torch
from torch import nn, Tensor

from dx2ct.predict.turn import AS_IT_IS, MIRRORED, QUARTERS, Turn

SIDE = 64
VIEWS = ("pa", "lateral", "other")
TURNS: tuple[Turn, ...] = (*QUARTERS, *(MIRRORED.then(turn) for turn in QUARTERS))
WEIGHTS = Path(__file__).with_name("weights.safetensors")
_WIDTHS = (16, 32, 64, 96)
# Shares of the height that are cut off above and below, of the width before and behind.
CROPS = (
    *((0.0, 0.0, 0.0, 0.0), (0.08, 0.08, 0.08, 0.08), (0.16, 0.16, 0.16, 0.16)),
    *((0.04, 0.12, 0.08, 0.08), (0.12, 0.04, 0.08, 0.08), (0.08, 0.08, 0.04, 0.12), (0.08, 0.08, 0.12, 0.04)),
)
_FOR_TURNS = 2  # of them tell which way is up: narrower ones show too little
_PARTS = {"view": 3, "pa": 8, "lateral": 8, "polarity": 2, "lungs": 2}
Image = NDArray[np.float32]


def standardised(film: NDArray[np.floating]) -> Image:
    """(SIDE, SIDE), ranks of grey values in [-1, 1], of a film of any size and aspect; equal values share theirs."""
    small = cv2.resize(np.asarray(film, np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    ranks = rankdata(small.round(5), method="average").reshape(small.shape)
    return np.asarray((2 * ranks - small.size - 1) / (small.size - 1), np.float32)


class PoseNetwork(nn.Module):
    """Standardised films (n, SIDE, SIDE) to logits by part of _PARTS, and shares of the height where lungs end."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((1, *_WIDTHS), _WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(_WIDTHS[-1] * (SIDE // 16) ** 2, 64), nn.ReLU(), nn.Dropout(0.2))
        self.heads = nn.Linear(64, sum(_PARTS.values()))

    def forward(self, films: Tensor) -> dict[str, Tensor]:
        """By part: (n, k)."""
        found: Tensor = self.heads(self.hidden(self.body(films[:, None])))
        return dict(zip(_PARTS, torch.split(found, list(_PARTS.values()), dim=1), strict=True))


@dataclass(frozen=True)
class Pose:
    """How a film lies, with probabilities.

    views: by name of VIEWS. up: of each of QUARTERS, that it brings the film upright. mirrored: by view, that the film
    is to be mirrored after that. negative: that bone is dark. lungs: their uppermost and lowest end, shares of the
    height of the upright film.
    """

    views: dict[str, float]
    up: tuple[float, ...]
    mirrored: dict[str, float]
    negative: float
    lungs: tuple[float, float]

    @property
    def plain(self) -> dict[str, object]:
        """For the record, four digits."""
        views, mirrored = (
            {view: round(share, 4) for view, share in shares.items()} for shares in (self.views, self.mirrored)
        )
        up, lungs = ([round(number, 4) for number in numbers] for numbers in (self.up, self.lungs))
        return {"views": views, "up": up, "mirrored": mirrored, "negative": round(self.negative, 4), "lungs": lungs}


def judged(film: NDArray[np.floating]) -> Pose:
    """The pose of a film, (row, column), of any size and any grey values."""
    return judge(network(), film)


def judge(model: PoseNetwork, film: NDArray[np.floating]) -> Pose:
    """What a network says of a film, (row, column)."""
    smalls = [standardised(_cropped(film, crop)) for crop in CROPS[:_FOR_TURNS]]
    forms = list(product(range(len(TURNS)), (1, -1), smalls))
    found = _asked(model, [sign * TURNS[number].of(small) for number, sign, small in forms])
    view = VIEWS[int(np.argmax(found["view"].mean(axis=0)[:2]))]
    back = [[found[view][row, after(number, turn)] for turn in TURNS] for row, (number, _, _) in enumerate(forms)]
    turns = _softmax(np.mean(back, axis=0))
    up = [turns[TURNS.index(turn)] + turns[TURNS.index(turn.then(MIRRORED))] for turn in QUARTERS]
    polarity = [found["polarity"][row, ::sign] for row, (_, sign, _) in enumerate(forms)]
    negative = float(_softmax(np.mean(polarity, axis=0))[1])
    turn, sign = QUARTERS[int(np.argmax(up))], -1 if negative > 0.5 else 1
    upright = [sign * standardised(_cropped(turn.of(film), crop)) for crop in CROPS]
    seen = [*upright, *(MIRRORED.of(small) for small in upright)]
    return _rest(_asked(model, seen), tuple(map(float, up)), negative)


def _cropped(film: NDArray[np.floating], crop: tuple[float, float, float, float]) -> NDArray[np.floating]:
    rows, columns = film.shape
    above, below, before, behind = (
        round(share * side) for share, side in zip(crop, (rows, rows, columns, columns), strict=True)
    )
    return film[above : rows - below, before : columns - behind]


def _rest(found: dict[str, NDArray[np.float64]], up: tuple[float, ...], negative: float) -> Pose:
    """What the crops of an upright film and then their mirror images tell."""
    same, mirror = TURNS.index(AS_IT_IS), TURNS.index(MIRRORED)
    views = dict(zip(VIEWS, map(float, _softmax(found["view"].mean(axis=0))), strict=True))
    mirrored = {}
    for view in VIEWS[:2]:
        one, other = np.split(found[view][:, [same, mirror]], 2)
        mirrored[view] = float(_softmax((one + other[:, ::-1]).mean(axis=0) / 2)[1])
    first, height = np.array([(above, 1 - above - below) for above, below, _, _ in 2 * CROPS]).T[..., None]
    above, below = (first + height * found["lungs"]).mean(axis=0)
    return Pose(views, up, mirrored, negative, (float(above), float(below)))


def _asked(model: PoseNetwork, films: Sequence[Image]) -> dict[str, NDArray[np.float64]]:
    with torch.inference_mode():
        answer: dict[str, Tensor] = model(torch.from_numpy(np.stack(films)))
    return {name: part.double().numpy() for name, part in answer.items()}


def after(number: int, turn: Turn) -> int:
    """What turns a film upright that was turned by TURNS[number], where `turn` would have: its place in TURNS."""
    return TURNS.index(TURNS[number].undone.then(turn))


@cache
def network() -> PoseNetwork:
    """The published one."""
    from safetensors.torch import load_file

    model = PoseNetwork()
    model.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return model.eval()


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
