"""Validation while training: how well the weights of a moment reconstruct what they are not trained on."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from dx2ct.training.distributed import sum_over_ranks

SHOWN = 8  # images in the picture


@dataclass(frozen=True)
class Validation:
    """PSNR over 2500 HU of all voxels pooled, dB, and a picture (2 N, n N) in [-1, 1]: truth above reconstruction."""

    psnr_db: float
    picture: NDArray[np.float32]


class Pooled:
    """Squared errors of all voxels, on values whose full range is `width`; every process adds its own."""

    def __init__(self, width: float, device: torch.device) -> None:
        self.width, self.device = width, device
        self.squares, self.voxels = 0.0, 0.0
        self.pairs: list[Tensor] = []

    def add(self, truth: Tensor, output: Tensor, pairs: Iterable[Tensor]) -> None:
        """Count two equally large tensors; pairs: images (2 N, N) in the range, truth above reconstruction."""
        self.squares += float((output - truth).double().square().sum())
        self.voxels += truth.numel()
        self.pairs += list(pairs)

    def result(self) -> Validation:
        """Over all processes, which must call this at the same step. The picture's values are left as they are."""
        squares, voxels = sum_over_ranks([self.squares, self.voxels], self.device)
        picture = torch.cat(self.pairs[:SHOWN], dim=1).numpy() if self.pairs else np.zeros((2, 1), np.float32)
        return Validation(float(10 * np.log10(self.width**2 * voxels / max(squares, 1e-30))), picture)
