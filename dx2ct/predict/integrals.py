"""Line integrals as the xray stage writes them: MetaImage files that hold their own pixels."""

from pathlib import Path
import zlib

import numpy as np
from numpy.typing import NDArray

from drr.ct.metaimage import read_image_header
from drr.ct.stored import values
from drr.ct.voxels import require_bounded
from drr.errors import InputError
from dx2ct.predict.xray import require_grey_levels, require_size, Xray

_BELOW, _SHARE = -0.5, 0.01  # noise of few photons leaves single rays below 0


def read_integrals(path: Path) -> Xray:
    """Read what the xray stage writes; InputError for values that are no line integrals."""
    stored = read_image_header(path)
    columns, rows, _ = stored.shape
    if stored.dtype.kind != "f":
        raise InputError(f"values of type {stored.dtype} are no line integrals: give a film as PNG, JPEG, TIFF, DICOM")
    require_size(rows, columns, stored.dtype.itemsize)
    require_bounded(stored)
    surplus = stored.file.stat().st_size - stored.start - stored.voxels * stored.dtype.itemsize
    if stored.packing == "raw" and surplus:
        raise InputError(f"holds {surplus} bytes more than its header promises: fetch it again")
    try:
        pixels = np.concatenate([block.astype(np.float32) for block in values(stored)]).reshape(rows, columns)
    except (EOFError, zlib.error) as error:
        raise InputError(f"its packed pixels are damaged ({error}): fetch it again") from None
    require_grey_levels(pixels)
    _require_positive(pixels)
    x_mm, y_mm = np.diag(stored.affine_mm)[:2].tolist()
    facts = {"format": "mha", "spacing_mm": [y_mm, x_mm], "spacing_from": "ElementSpacing, at the detector"}
    return Xray(pixels, "integrals", path.name, facts)


def _require_positive(pixels: NDArray[np.float32]) -> None:
    """InputError for values that would have more rays behind the patient than before."""
    if np.count_nonzero(pixels < _BELOW) > _SHARE * pixels.size:
        found = f"values from {float(pixels.min()):.3g} to {float(pixels.max()):.3g} are no line integrals"
        raise InputError(f"{found}, 0 in air and above it in the patient: negate them, or add what was subtracted")
