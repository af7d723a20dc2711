"""Reconstruct one scan with a trained run and write its volumes."""

from pathlib import Path

import numpy as np
import torch

from drr.errors import InputError
from dx2ct.config import ReconstructSettings
from dx2ct.data.scans import grid_like
from dx2ct.methods.base import DEVIATION, SETTINGS
from dx2ct.methods.registry import method_of
from dx2ct.training.resume import forget_states


def reconstruct_scan(scan: str, run: Path, how: ReconstructSettings, data: Path, device: torch.device) -> None:
    """Write RUN/planes/SCAN/{plane}.nii.gz and their mean, RUN/volumes/SCAN.nii.gz: int16 HU on the training grid.

    Of several samples also their standard deviation, RUN/deviations/SCAN.nii.gz: float32 HU.
    The affine places each volume where the scan's cube lies, so it opens aligned with the CT in any viewer.
    """
    try:
        settings = (run / SETTINGS).read_text()
    except OSError as error:
        raise InputError(f"{run / SETTINGS}: no trained run here ({error.strerror}): train it first") from None
    forget_states(run)  # the training is over; `snakemake -R train` must begin anew
    volumes = method_of(settings).reconstruct(settings, run, how, scan, data, device)
    for plane, volume in volumes.items():
        if not np.isfinite(volume).all():
            raise InputError(f"{run}: {scan}: the {plane} volume is not finite: the training diverged, train it again")
    place = data / "volumes" / f"{scan}.mha"
    deviation = volumes.pop(DEVIATION, None)
    if deviation is not None:
        grid_like(place, len(deviation), deviation.astype(np.float32)).write(deviation_path(run, scan))
    for plane, volume in volumes.items():
        _write(place, volume, run / "planes" / scan / f"{plane}.nii.gz")
    _write(place, np.mean(list(volumes.values()), axis=0), run / "volumes" / f"{scan}.nii.gz")


def deviation_path(run: Path, scan: str) -> Path:
    """Where a run keeps the deviation of a scan's samples."""
    return run / "deviations" / f"{scan}.nii.gz"


def _write(place: Path, hu: np.ndarray, output: Path) -> None:
    grid_like(place, len(hu), np.rint(hu).astype(np.int16)).write(output)
