"""Validation on whole scans, for methods with one forward pass."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dx2ct.config import LearnedSettings, ScanValidation
from dx2ct.data.scans import as_seen, read_xrays
from dx2ct.methods.layers.example import read_volume, Volumes
from dx2ct.training.distributed import rank, world
from dx2ct.training.validation import Pooled, Validation

Scan = tuple[Tensor, Tensor]


def validation_scans(settings: LearnedSettings, scans: Sequence[str], data: Path, pixels: int) -> list[Scan]:
    """X-rays (1, view, H, W) and truth (z, y, x) in [0, 1] of this process's scans."""
    asked, views = settings.train.validation, settings.run.views
    assert isinstance(asked, ScanValidation)
    return [
        (
            torch.from_numpy(as_seen(read_xrays(data, scan, views), views, pixels))[None],
            read_volume(data, scan, settings.slices.size),
        )
        for scan in scans[: asked.scans][rank() :: world()]
    ]


@torch.no_grad()
def validate(volumes_of: Callable[[Tensor], Volumes], scans: Sequence[Scan], device: torch.device) -> Validation:
    """PSNR over the window of the mean of the planes, all voxels pooled; middle slices under their truth."""
    pooled = Pooled(1.0, device)
    for xrays, truth in scans:
        volumes = [volume.float().cpu().clamp(0, 1) for volume in volumes_of(xrays.to(device)).values()]
        output, middle = torch.stack(volumes).mean(dim=0), len(truth) // 2
        pairs = (torch.cat([a.select(axis, middle) for a in (truth, output)]).flip(0) for axis in range(3))
        pooled.add(truth, output, (pair * 2 - 1 for pair in pairs))
    return pooled.result()
