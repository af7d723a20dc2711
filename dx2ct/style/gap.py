"""How far apart two kinds of X-rays are: how well a small classifier tells them apart, by cross-validation.

0.5 is chance: no gap that this classifier sees. A gap is of everything that differs, of patients and posture, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from drr.progress import each

SIDE = 64  # pixels that the classifier sees
FOLDS, EPOCHS, BATCH, RATE = 5, 20, 16, 2e-3
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Gap:
    """accuracy: of the classifier on images that it has not learnt from, the mean over both kinds; of_second: on some
    of the second kind alone, by number; None where none were asked for."""

    accuracy: float
    of_second: float | None


def gap(
    first: Sequence[Image], second: Sequence[Image], seed: int = 0, asked: Sequence[int] = (), epochs: int = EPOCHS
) -> Gap:
    """Of two kinds of square images in [0, 1]. asked: numbers of the second kind that are also judged alone.

    Balanced: the kinds count alike, however many images each has. The same seed gives the same answer.
    """
    images = torch.from_numpy(np.stack([_small(image) for image in (*first, *second)]))[:, None]
    kinds = torch.cat([torch.zeros(len(first)), torch.ones(len(second))])
    fold = np.concatenate([_folds(len(first), seed), _folds(len(second), seed + 1)])
    right = torch.zeros(len(kinds), dtype=torch.bool)
    for number in each(range(FOLDS), "domain gap", "fold"):
        test = torch.from_numpy(fold == number)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _trained(images[~test], kinds[~test], seed, epochs)
        with torch.inference_mode():
            right[test] = (network(images[test])[:, 0] > 0) == (kinds[test] > 0.5)
    of_second = right[len(first) :]
    accuracy = (right[: len(first)].float().mean() + of_second.float().mean()) / 2
    alone = float(of_second[list(asked)].float().mean()) if asked else None
    return Gap(float(accuracy), alone)


def _small(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _folds(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(np.arange(count) % FOLDS)


def _trained(images: Tensor, kinds: Tensor, seed: int, epochs: int) -> nn.Module:
    """A classifier of (n, 1, SIDE, SIDE), both kinds weighed alike."""
    network = _network()
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    chance, share = np.random.default_rng(seed), kinds.mean()
    for _ in range(epochs):
        for numbers in np.array_split(chance.permutation(len(kinds)), -(-len(kinds) // BATCH)):
            wanted = kinds[numbers]
            weight = torch.where(wanted > 0.5, 1 - share, share) * 2
            optimizer.zero_grad()
            judged = network(images[numbers])[:, 0]
            loss = binary_cross_entropy_with_logits(judged, wanted, weight)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval()


def _network() -> nn.Module:
    layers: list[nn.Module] = []
    for wide, wider in ((1, 8), (8, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(wide, wider, 3, 2, 1), nn.GroupNorm(4, wider), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 1))
