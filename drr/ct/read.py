"""One CT from whatever it is stored in."""

from pathlib import Path

from drr.ct.hounsfield import Histogram, require_air_outside, require_hu
from drr.ct.limits import MAX_CHEST_MM, MAX_HOLE_MM, MIN_CHEST_MM, SUFFIXES
from drr.ct.restated import Restated
from drr.ct.sources import kind_of
from drr.ct.volume_file import look_at_volume_file, read_volume_file
from drr.errors import InputError
from drr.volume import Volume

PICTURE_REASON = "X-ray image or another picture, a CT is expected"
NO_CT_REASON = f"no CT: give a DICOM folder or zip, or a file ending in {', '.join(SUFFIXES)}"


def read_ct(
    path: Path | str,
    series_uid: str | None = None,
    max_hole_mm: float = MAX_HOLE_MM,
    restated: Restated | None = None,
) -> Volume:
    """Read a DICOM folder or zip, or a NIfTI, MetaImage or NRRD file: int16 HU in the scan's own directions.

    series_uid: the DICOM series to take; None takes the CT series with the most images.
    max_hole_mm: missing slices of a DICOM series are interpolated over this distance at most.
    restated: what holds instead of the header of a volume file.
    Raises InputError naming the path and the defect.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    kind = kind_of(path)
    if kind == "picture":
        raise InputError(f"{path}: {PICTURE_REASON}")
    if kind == "other":
        raise InputError(f"{path}: {NO_CT_REASON}")
    if kind == "volume" and series_uid is not None:
        raise InputError(f"{path}: a volume file has no DICOM series {series_uid}")
    if kind == "volume":
        return read_volume_file(path, restated)
    if restated is not None:
        raise InputError(f"{path}: a DICOM series states its own scale and place: leave its header as it is")
    from drr.ct.dicom import read_series  # DICOM libraries take longer to load than a volume file to read

    volume = read_series(path, series_uid, max_hole_mm)
    require_hu(path, Histogram.of(volume.array))
    require_air_outside(path, volume.array)
    return volume


def read_chest(
    path: Path | str,
    series_uid: str | None = None,
    max_hole_mm: float = MAX_HOLE_MM,
    restated: Restated | None = None,
) -> Volume:
    """Read a CT as `read_ct` does; InputError for a volume file whose box is not of a chest's size, as of one in cm.

    A DICOM file's lengths are mm by its standard, and are not doubted.
    """
    volume = read_ct(path, series_uid, max_hole_mm, restated)
    if kind_of(Path(path)) == "volume":
        _require_chest(path, volume)
    return volume


def look_at_chest(path: Path, restated: Restated | None = None) -> Volume:
    """The place of a volume file by its header alone, without voxels; InputError where `read_chest` would refuse it."""
    volume = look_at_volume_file(path, restated)
    _require_chest(path, volume)
    return volume


def _require_chest(path: Path | str, volume: Volume) -> None:
    extent = volume.extent_mm
    if not MIN_CHEST_MM <= min(extent) <= max(extent) <= MAX_CHEST_MM:
        told = " x ".join(f"{length:.4g}" for length in extent)
        raise InputError(
            f"{path}: its box is {told} mm, a chest's sides are {MIN_CHEST_MM:g} to {MAX_CHEST_MM:g} mm: "
            "save it with the CT's spacing in mm"
        )
