"""Whole scans that a learned rival is watched on while it trains."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from drr.errors import InputError
from dx2ct.data.scans import read_xrays
from dx2ct.methods.layers.example import Planes, read_volume
from dx2ct.methods.single_pass_settings import RivalSettings
from dx2ct.training.distributed import rank, sum_over_ranks, world
from dx2ct.training.validation import SHOWN, Validation

Watched = tuple[Tensor, Tensor]


def watched_scans(settings: RivalSettings, scans: Sequence[str], data: Path, pixels: int) -> list[Watched]:
    """X-rays (1, view, H, W) and truth (z, y, x) in [0, 1] of this process's scans; InputError where there is none."""
    asked = settings.train.validation
    if not scans:
        raise InputError(f"train.validation.every is {asked.every}, but the cohort has no scan of split {asked.split}")
    return [
        (
            torch.from_numpy(read_xrays(data, scan, settings.run.views, pixels))[None],
            read_volume(data, scan, settings.slices.size),
        )
        for scan in scans[: asked.scans][rank() :: world()]
    ]


@torch.no_grad()
def validate(planes_of: Callable[[Tensor], Planes], watched: Sequence[Watched], device: torch.device) -> Validation:
    """PSNR over the window of the mean of the planes, all voxels pooled; middle slices under their truth."""
    squares, voxels, pairs = 0.0, 0.0, []
    for xrays, truth in watched:
        planes = planes_of(xrays.to(device))
        said = torch.stack([volume.float().cpu().clamp(0, 1) for volume in planes.values()]).mean(dim=0)
        squares += float((said - truth).double().square().sum())
        voxels += truth.numel()
        middle = len(truth) // 2
        pairs += [torch.cat([a.select(axis, middle) for a in (truth, said)]).flip(0) for axis in range(3)]
    squares, voxels = sum_over_ranks([squares, voxels], device)
    picture = torch.cat(pairs[:SHOWN], dim=1).numpy() * 2 - 1 if pairs else np.zeros((2, 1), np.float32)
    return Validation(float(10 * np.log10(voxels / max(squares, 1e-30))), picture)
