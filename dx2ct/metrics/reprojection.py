"""Whether a reconstruction would have given the X-rays that it was made from."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.geometry import View
from drr.projector import Projector
from drr.volume import Volume


def reprojection_errors(
    volume: Volume, xrays: Sequence[NDArray[np.float32]], views: Sequence[View], threads: int = 0
) -> tuple[float, ...]:
    """Relative error of the volume's own line integrals in each of the views: |rendered - given| / |given|.

    volume: HU. xrays: the CT's line integrals (row, column), as stage xray rendered them in these views. The volume is
    rendered at the X-rays' resolution; then both are averaged down to as many pixels as the volume has voxels along an
    axis (at most: X-rays are not enlarged), because it cannot know what is finer. NaN for an X-ray that is 0
    everywhere.
    """
    rendered = Projector(volume, views, backend="cpu", threads=threads).render(volume.array)
    pixels = min(volume.array.shape[0], *xrays[0].shape)
    return tuple(
        _relative(_small(ours, pixels), _small(given, pixels)) for ours, given in zip(rendered, xrays, strict=True)
    )


def _small(image: NDArray[np.float32], pixels: int) -> NDArray[np.float64]:
    return np.asarray(cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA), dtype=np.float64)


def _relative(ours: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    whole = np.linalg.norm(given)
    return float(np.linalg.norm(ours - given) / whole) if whole else float("nan")
