"""Two classifiers that tell kinds of X-rays apart: by the whole image, and by its grey values and edges wherever they
are. The second knows nothing of anatomy: what it sees is what a style can change.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

SIDE = 64  # pixels that they see
EPOCHS, BATCH, RATE = 20, 16, 2e-3
BINS, RIDGE, ITERATIONS = 16, 1e-3, 200
LEAST = 1e-3  # of a difference of grey values, whose logarithm is taken
Image = NDArray[np.float32]
Judge = Callable[[Tensor], Tensor]  # (n, ...) to (n,): above 0 the second kind
Fit = Callable[[Tensor, Tensor], Judge]


def by_image(images: Sequence[Image]) -> Tensor:
    """(n, 1, SIDE, SIDE)."""
    return torch.from_numpy(np.stack([_small(image) for image in images]))[:, None]


def by_looks(images: Sequence[Image]) -> Tensor:
    """(n, 3 BINS): histograms of grey values and, as logarithms, of slopes and of second differences."""
    return torch.from_numpy(np.stack([_histograms(_small(image)) for image in images]))


def network(seen: Tensor, kinds: Tensor, epochs: int = EPOCHS) -> Judge:
    """A small network trained on images; both kinds weigh alike, of which `kinds` is 1 for the second."""
    layers: list[nn.Module] = []
    for wide, wider in ((1, 8), (8, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(wide, wider, 3, 2, 1), nn.GroupNorm(4, wider), nn.ReLU()]
    found = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 1))
    optimizer, weight = torch.optim.Adam(found.parameters(), RATE), _weights(kinds)
    for _ in range(epochs):
        for numbers in torch.split(torch.randperm(len(kinds)), BATCH):
            optimizer.zero_grad()
            loss = binary_cross_entropy_with_logits(found(seen[numbers])[:, 0], kinds[numbers], weight[numbers])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    found.eval()
    return lambda images: found(images)[:, 0]


def logistic(seen: Tensor, kinds: Tensor) -> Judge:
    """Logistic regression with a ridge, on standardised features."""
    mean, deviation, weight = seen.mean(dim=0), seen.std(dim=0) + 1e-6, _weights(kinds)
    slopes = torch.zeros(seen.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([slopes], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def judge(features: Tensor) -> Tensor:
        return (features - mean) / deviation @ slopes[:-1] + slopes[-1]

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = binary_cross_entropy_with_logits(judge(seen), kinds, weight) + RIDGE * slopes[:-1].square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return judge


def _weights(kinds: Tensor) -> Tensor:
    """Of each image, so that both kinds count alike."""
    share = kinds.mean()
    return torch.where(kinds > 0.5, 1 - share, share) * 2


def _small(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _histograms(image: Image) -> Image:
    slope = np.hypot(*np.gradient(image))
    second = np.abs(cv2.Laplacian(image, cv2.CV_32F))
    parts = [(image, (0.0, 1.0)), *((np.log10(part + LEAST), (-3.0, 0.5)) for part in (slope, second))]
    return np.concatenate([np.histogram(part, BINS, limits)[0] / part.size for part, limits in parts]).astype(
        np.float32
    )
