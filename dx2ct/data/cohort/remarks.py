"""What a survey says of the scans that it keeps."""

from collections.abc import Sequence

from dx2ct.config import check, VolumeSettings
from dx2ct.data.cohort.lidc import ct_series
from dx2ct.data.cohort.names import shown
from dx2ct.data.cohort.patients import Name
from dx2ct.data.cohort.places import Scan, series_of

DEFAULT_SIDE_MM = check(VolumeSettings).side_mm
_MOST_NAMES = 6


def of_twice(scans: Sequence[Scan], names: Sequence[Name]) -> list[str]:
    """A remark on patients of whom LIDC-IDRI's series and files made of them, such as LUNA16's, lie together."""
    known = [(scan, name.name) for scan, name in zip(scans, names, strict=True) if ct_series(series_of(scan))]
    both = {name for scan, name in known if scan.series_uid} & {name for scan, name in known if not scan.series_uid}
    if not both:
        return []
    some = ", ".join(sorted(both)[:_MOST_NAMES]) + (", ..." if len(both) > _MOST_NAMES else "")
    return [
        f"LUNA16 is a part of LIDC-IDRI: {len(both)} patients have CTs of both here ({some}); each lies in one split, "
        "but counts twice"
    ]


def of_low(scans: Sequence[Scan]) -> list[str]:
    """A cube is filled by half or less, and what fills it may be an abdomen or a head."""
    half_mm = DEFAULT_SIDE_MM / 2
    low = [
        f"{shown(scan.path.name)} ({scan.facts['z_mm']} mm)" for scan in scans if float(scan.facts["z_mm"]) < half_mm
    ]
    if not low:
        return []
    names = ", ".join(low[:_MOST_NAMES]) + (f" and {len(low) - _MOST_NAMES} more" if len(low) > _MOST_NAMES else "")
    return [
        f"less than {half_mm:g} mm high, half of a cube of {DEFAULT_SIDE_MM:g} mm: {names}: "
        "parts of a chest, or none; --min-z-mm leaves them out"
    ]
