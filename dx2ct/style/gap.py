"""How far apart two kinds of X-rays are: how well a classifier tells them apart, by cross-validation.

0.5 is chance: no gap that this classifier sees. A gap is of everything that differs, of patients and posture, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from dx2ct.style.classifiers import by_image, by_looks, Fit, Image, logistic, network

FOLDS = 5


@dataclass(frozen=True)
class Classifier:
    """see: images in [0, 1] to what is learnt from; fit: to a judge of that."""

    see: Callable[[Sequence[Image]], Tensor]
    fit: Fit


CLASSIFIERS = {"whole image": Classifier(by_image, network), "looks alone": Classifier(by_looks, logistic)}


@dataclass(frozen=True)
class Gap:
    """accuracy: of the classifier on images that it has not learnt from, the mean over both kinds; of_second: on some
    of the second kind alone, by number; None where none were asked for."""

    accuracy: float
    of_second: float | None


def gap(
    first: Sequence[Image], second: Sequence[Image], classifier: Classifier, seed: int = 0, asked: Sequence[int] = ()
) -> Gap:
    """Of two kinds of square images in [0, 1]. asked: numbers of the second kind that are also judged alone.

    Balanced: the kinds count alike, however many images each has. The same seed gives the same answer.
    """
    seen = classifier.see([*first, *second])
    kinds = torch.cat([torch.zeros(len(first)), torch.ones(len(second))])
    fold = np.concatenate([_folds(len(first), seed), _folds(len(second), seed + 1)])
    right = torch.zeros(len(kinds), dtype=torch.bool)
    for number in range(FOLDS):
        test = torch.from_numpy(fold == number)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            judge = classifier.fit(seen[~test], kinds[~test])
        with torch.inference_mode():
            right[test] = (judge(seen[test]) > 0) == (kinds[test] > 0.5)
    of_second = right[len(first) :].float()
    alone = float(of_second[list(asked)].mean()) if asked else None
    return Gap(float((right[: len(first)].float().mean() + of_second.mean()) / 2), alone)


def _folds(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(np.arange(count) % FOLDS)
