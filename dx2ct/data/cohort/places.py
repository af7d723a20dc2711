"""The scans at a place, a file, zip or folder that may be one, and what of it is none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import stat

import numpy as np

from drr.ct.dicom import find_series, largest_per_patient, no_ct, Series
from drr.ct.patient import patient_key
from drr.ct.read import look_at_chest, NO_CT_REASON, PICTURE_REASON, read_chest
from drr.ct.sources import kind_of, members, note
from drr.errors import InputError
from drr.volume import AIR_HU, Volume
from dx2ct.data.cohort import images
from dx2ct.data.cohort.facts import Facts, of_stack, of_volume
from dx2ct.data.cohort.groups import joined
from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.names import is_plain, stem, written
from dx2ct.data.cohort.walk import unread

_PLACE_DECIMALS = 2  # of a millimetre

Positions = frozenset[tuple[float, ...]]


@dataclass(frozen=True)
class Scan:
    """A usable CT: the file or folder, its DICOM series (empty for a volume file), how it was taken, what it shows.

    ids: the PatientIDs of its slices as written, the most frequent first. positions: of its slices, rounded, in mm.
    listed: what is said of it elsewhere.
    """

    path: Path
    series_uid: str
    facts: Facts
    ids: tuple[str, ...] = ()
    image: images.Image | None = None
    positions: Positions = frozenset()
    listed: Listed | None = None


@dataclass(frozen=True)
class LeftOut:
    """Something that looks like a scan and cannot be used, or that the filters leave out.

    series_uid, positions: of a DICOM series, whose other slices may lie elsewhere.
    """

    path: Path
    reason: str
    series_uid: str = ""
    positions: Positions = frozenset()


Found = Scan | LeftOut


def left_out_at(place: Path | Listed, reason: str) -> LeftOut:
    """A place whose scan cannot be used; of a listed one the reason says where it is listed."""
    return LeftOut(place, reason) if isinstance(place, Path) else LeftOut(place.path, place.shown_at + reason)


def series_of(scan: Scan) -> str:
    """The DICOM series that a scan is, or that its file was made of as far as a list or the file's name says so."""
    return scan.series_uid or (scan.listed.series_uid if scan.listed else "") or stem(scan.path)


def scans_at(place: Path | Listed) -> Iterator[Found]:
    """The scans that lie directly at a path, and what there is none; of a listed scan itself. It never raises."""
    if isinstance(place, Path):
        yield from _without_errors(_scans_at(place), place)
    else:
        for one in _without_errors(_listed_scan(place), place.path):
            yield left_out_at(place, one.reason) if isinstance(one, LeftOut) else one


def _without_errors(found: Iterator[Found], path: Path) -> Iterator[Found]:
    try:
        yield from found
    except InputError as error:
        yield LeftOut(path, str(error).removeprefix(f"{path}: "))
    except OSError as error:
        yield LeftOut(path, f"cannot be read ({error.strerror or error})")
    except Exception as error:  # a defect of ours or of a library must not end the survey of all others
        yield LeftOut(path, f"cannot be read ({type(error).__name__}: {error})")


def _scans_at(path: Path) -> Iterator[Found]:
    if not path.exists():
        yield LeftOut(path, "a link to nothing: remove it")
    elif not (path.is_dir() or stat.S_ISREG(path.stat().st_mode)):
        yield LeftOut(path, "a pipe, socket or device, no file: remove it")
    elif kind_of(path) == "picture":
        yield LeftOut(path, PICTURE_REASON)
    elif kind_of(path) == "volume":
        yield LeftOut(path, _ODD_NAME) if not is_plain(path) else _volume_at(path)
    elif not path.is_dir() and unread(path):
        yield LeftOut(path, unread(path))
    elif kind_of(path) == "zip" or any(path.iterdir()):
        yield from _series_at(path)
    else:
        yield LeftOut(path, "empty folder")


_ODD_NAME = "its name is no text in UTF-8, or holds control characters: rename it"


def _listed_scan(listed: Listed) -> Iterator[Found]:
    """One scan, of a volume file by its header alone: whoever lists a file has looked at it."""
    path, kind = listed.path, kind_of(listed.path)
    if not path.exists():
        raise InputError("no such file or folder")
    if not is_plain(path):
        raise InputError(_ODD_NAME)
    if kind in ("picture", "other"):
        raise InputError(PICTURE_REASON if kind == "picture" else NO_CT_REASON)
    if kind == "volume":
        yield Scan(path, "", of_volume(look_at_chest(path, listed.restated)), listed=listed)
        return
    if listed.restated:
        raise InputError("a DICOM series states its own slope and intercept: leave both empty")
    found = list(_series_at(path, listed.series_uid))
    scans = [one for one in found if isinstance(one, Scan)]
    if len(scans) > 1:
        uids = ", ".join(one.series_uid for one in scans)
        raise InputError(f"CTs of {len(scans)} patients: name one of their series, {uids}, as series_uid")
    if not found:
        raise InputError("no DICOM CT series directly in it: name the folder of its slices")
    yield replace(scans[0], listed=listed) if scans else found[0]


def _volume_at(path: Path) -> Found:
    volume = read_chest(path)
    if _is_label_map(volume):
        return LeftOut(path, "no value between air and water, labels alone: a mask, no CT")
    return Scan(path, "", of_volume(volume), image=images.of_volume(volume))


def _is_label_map(volume: Volume) -> bool:
    """True where no value lies between air and water: lungs and fat are in every CT, labels count from 0."""
    there = np.zeros(2**16, dtype=bool)  # no sorting, and no copy: a CT has up to a billion voxels
    for image in volume.array:
        there[image.astype(np.int32) + 2**15] = True
    values = np.flatnonzero(there) - 2**15
    between = (values > max(int(values[0]), AIR_HU + 100)) & (values < 0)
    return not between.any()


def _series_at(path: Path, series_uid: str = "") -> Iterator[Found]:
    """The scan of every patient whose DICOM slices lie directly in a folder or a zip, and the X-rays among them.

    series_uid: of the one series that is asked for; InputError where it is not there.
    """
    if path.is_dir() and not any(file.is_file() and not file.name.startswith(".") for file in path.iterdir()):
        return
    with members(path, below=False) as files:
        series, others = find_series(files)
        if (series or others) and not is_plain(path):
            raise InputError(_ODD_NAME)
        yield from (
            LeftOut(path / one.name, f"X-ray image, a CT is expected ({one.what})") for one in others if one.is_xray
        )
        if not series and not any(one.is_xray for one in others) and (others or not path.is_dir()):
            raise no_ct(others)
        if series and series_uid and series_uid not in [one.uid for one in series]:
            raise InputError(f"no CT series {series_uid} in it, only {', '.join(one.uid for one in series)}")
        asked = [one for one in series if series_uid in ("", one.uid)]
        for one, remarks in largest_per_patient(_by_patient(asked)):
            yield _usable(path, one, remarks)


def series_below(folder: Path, series_uid: str) -> Found:
    """One series whose slices lie in several sub-folders of a folder that has none itself."""
    try:
        with members(folder, below=True) as files:
            series = [one for one in _by_patient(find_series(files)[0]) if one.uid == series_uid]
            return _usable(folder, series[0], [])
    except InputError as error:
        return LeftOut(folder, str(error).removeprefix(f"{folder}: "))


def _by_patient(series: Sequence[Series]) -> list[Series]:
    """The series, those that share a PatientID under one name: renaming patients, one may forget some slices."""
    groups = joined([[patient_key(name) for name in _ids(one)] or [""] for one in series])
    return [replace(one, patient=str(group)) for group, one in zip(groups, series, strict=True)]


def _ids(series: Series) -> tuple[str, ...]:
    """PatientIDs as written, the most frequent first, without those that are empty."""
    names = [name for file in series.files if (name := written(file.patient))]
    return tuple(sorted(dict.fromkeys(names), key=lambda name: -names.count(name)))


def _usable(path: Path, series: Series, remarks: Sequence[str]) -> Found:
    places = [one.position_mm for one in series.files if hasattr(one, "position_mm")]
    positions = frozenset(tuple(round(mm, _PLACE_DECIMALS) for mm in place) for place in places)
    try:
        stack = series.stacked()
        facts, image = of_stack(stack), images.of_stack(stack)
    except InputError as error:
        return LeftOut(path, str(error), series.uid, positions)
    for remark in [*remarks, *stack.remarks()]:
        note(f"{path}: {remark}")
    return Scan(path, series.uid, facts, _ids(series), image, positions)
