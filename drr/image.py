"""Images of line integrals: files, and grey levels to look at."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import SimpleITK as sitk

from drr.files import replacing

_WHITE = 65535


def grey_levels(integrals: NDArray[np.float32]) -> NDArray[np.uint16]:
    """One view, (row, column), as 16-bit grey: bone bright, air dark, proportional to the line integral.

    Black is the smallest integral. White is the quantile 0.999, so that a wire or a pacemaker does not darken the rest.
    """
    low, high = float(integrals.min()), float(np.quantile(integrals, 0.999))
    scale = _WHITE / (high - low) if high > low else 0.0
    return np.asarray(np.clip(np.rint((integrals - low) * scale), 0, _WHITE), np.uint16)


def write_image(pixels: NDArray[np.generic], pixel_mm: tuple[float, float], path: Path) -> None:
    """Write a (row, column) image as .mha or .png with its pixels' height and width, whole or not at all."""
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(pixel_mm[::-1])
    with replacing(path) as part:
        sitk.WriteImage(image, str(part))
