"""Whether a reconstruction would have given the X-rays that it was made from."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.caster import render
from drr.geometry import ConeBeam, PROTOCOL_VIEWS
from drr.volume import Volume

REPROJECTION_COLUMNS = tuple(f"reprojection_{kind}{view}" for kind in ("", "floor_") for view in PROTOCOL_VIEWS)
Films = Sequence[NDArray[np.float32]]


def reprojection_errors(volume: Volume, films: Films, beam: ConeBeam, threads: int = 0) -> tuple[float, ...]:
    """Relative error of the volume's own line integrals in each of PROTOCOL_VIEWS: |rendered - film| / |film|.

    films: the CT's line integrals (row, column), as stage xray rendered them with the same beam around the centre of
    the same cube. The volume is rendered at the films' resolution; then both are averaged down to as many pixels as the
    volume has voxels along an axis (at most: films are not enlarged), because it cannot know what is finer.
    NaN for an empty film.
    """
    views = [beam.view(name, volume.centre_mm) for name in PROTOCOL_VIEWS]
    rendered = render(volume, views, "cpu", threads=threads)
    pixels = min(volume.array.shape[0], *films[0].shape)
    return tuple(
        _relative(_small(ours, pixels), _small(film, pixels)) for ours, film in zip(rendered, films, strict=True)
    )


def _small(image: NDArray[np.float32], pixels: int) -> NDArray[np.float64]:
    return np.asarray(cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA), dtype=np.float64)


def _relative(ours: NDArray[np.float64], film: NDArray[np.float64]) -> float:
    whole = np.linalg.norm(film)
    return float(np.linalg.norm(ours - film) / whole) if whole else float("nan")
