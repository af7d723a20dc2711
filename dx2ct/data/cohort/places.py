"""The scans under a folder: every file, zip and folder that may be one, and what of it is none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
import os
from pathlib import Path
import stat

import numpy as np

from drr.ct.dicom import find_series, largest_per_patient, no_ct, Series
from drr.ct.patient import patient_key
from drr.ct.read import PICTURE_REASON, read_chest
from drr.ct.sources import kind_of, members, note
from drr.errors import InputError
from drr.volume import AIR_HU, SUFFIXES, Volume
from dx2ct.data.cohort import images
from dx2ct.data.cohort.facts import Facts, of_stack, of_volume
from dx2ct.data.cohort.groups import joined
from dx2ct.data.cohort.names import is_plain, written

_WORKFLOW_FOLDERS = ("data", "results", "logs", "benchmarks")
# Files that hold scans, or may, and are not read: nobody shall think that they were.
_UNREAD = {
    (".img",): "an .img without the .hdr that belongs to it: put that beside it",
    (".mgz", ".mgh", ".mnc", ".gipl"): "a volume of a kind that is not read: convert it to .nii.gz",
    (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar"): "an archive that is not read: unpack it",
}
_PLACE_DECIMALS = 2  # of a millimetre

Positions = frozenset[tuple[float, ...]]


@dataclass(frozen=True)
class Scan:
    """A usable CT: the file or folder, its DICOM series (empty for a volume file), how it was taken, what it shows.

    ids: the PatientIDs of its slices as written, the most frequent first. positions: of its slices, rounded, in mm.
    """

    path: Path
    series_uid: str
    facts: Facts
    ids: tuple[str, ...] = ()
    image: images.Image | None = None
    positions: Positions = frozenset()


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


def candidates(folder: Path, output: Path) -> list[Path]:
    """Everything that may be a scan, in a fixed order: folders (also `folder` itself) and files of known kinds."""
    found = [folder]
    entered = {os.path.realpath(folder)}  # links may lead in circles
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        visible = [one for one in folders if not one.startswith(".") and here / one != output]
        folders[:] = [one for one in visible if os.path.realpath(here / one) not in entered]
        if (
            ".snakemake" in folders or (here / ".snakemake").is_dir()
        ):  # a workflow ran here: what it made is no new scan
            folders[:] = [one for one in folders if one not in _WORKFLOW_FOLDERS]
        entered.update(os.path.realpath(here / one) for one in folders)
        found += [here / one for one in [*folders, *files] if not one.startswith(".")]
    return sorted(path for path in found if _may_be_a_scan(path))


def _may_be_a_scan(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe or socket must not be opened: that would wait for ever
            return path.is_dir() or path.name.lower().endswith((".zip", *SUFFIXES))
        return kind_of(path) in ("zip", "volume", "picture") or bool(_unread(path))
    except OSError:  # no permission: it is told of when it is read
        return True


def _unread(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".img") and path.with_suffix(".hdr").is_file():
        return ""  # a half of what its .hdr names
    return next((reason for suffixes, reason in _UNREAD.items() if name.endswith(suffixes)), "")


def scans_at(path: Path) -> Iterator[Found]:
    """The scans that lie directly at a path, and what there is none; it never raises."""
    try:
        yield from _scans_at(path)
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
    elif not path.is_dir() and _unread(path):
        yield LeftOut(path, _unread(path))
    elif kind_of(path) == "zip" or any(path.iterdir()):
        yield from _series_at(path)
    else:
        yield LeftOut(path, "empty folder")


_ODD_NAME = "its name is no text in UTF-8, or holds control characters: rename it"


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


def _series_at(path: Path) -> Iterator[Found]:
    """The scan of every patient whose DICOM slices lie directly in a folder or a zip, and the X-rays among them."""
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
        for one, remarks in largest_per_patient(_by_patient(series)):
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
