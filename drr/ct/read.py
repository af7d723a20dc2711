"""One CT from whatever it is stored in."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.ct.limits import MAX_HOLE_MM, MAX_HU
from drr.ct.sources import kind_of
from drr.ct.volume_file import read_volume_file
from drr.errors import InputError
from drr.volume import SUFFIXES, Volume

# Any CT of a chest has air well below the first and tissue above the second.
_AIR_BELOW_HU, _TISSUE_ABOVE_HU = -500, -200
PICTURE_REASON = "X-ray image or another picture, a CT is expected"


def read_ct(path: Path | str, series_uid: str | None = None, max_hole_mm: float = MAX_HOLE_MM) -> Volume:
    """Read a DICOM folder or zip, or a NIfTI, MetaImage or NRRD file: int16 HU in the scan's own directions.

    series_uid: the DICOM series to take; None takes the CT series with the most images.
    max_hole_mm: missing slices of a DICOM series are interpolated over this distance at most.
    Raises InputError naming the path and the defect.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    kind = kind_of(path)
    if kind == "picture":
        raise InputError(f"{path}: {PICTURE_REASON}")
    if kind == "other":
        raise InputError(f"{path}: no CT: give a DICOM folder or zip, or a file ending in {', '.join(SUFFIXES)}")
    if kind == "volume" and series_uid is not None:
        raise InputError(f"{path}: a volume file has no DICOM series {series_uid}")
    if kind == "volume":
        volume = read_volume_file(path)
    else:
        from drr.ct.dicom import read_series  # DICOM libraries take longer to load than a volume file to read

        volume = read_series(path, series_uid, max_hole_mm)
    _require_hu(path, volume.array)
    return volume


def _require_hu(path: Path, array: NDArray[np.generic]) -> None:
    low, high = int(array.min()), int(array.max())
    if low > _AIR_BELOW_HU:
        raise InputError(
            f"{path}: values from {low} to {high} are not HU, no air in it: convert it to Hounsfield units"
        )
    if high < _TISSUE_ABOVE_HU:
        raise InputError(f"{path}: values from {low} to {high} HU are air alone: no patient in it")
    if high == MAX_HU:
        raise InputError(f"{path}: values of {high} HU and more are not HU: convert it, and mark padding as {low}")
