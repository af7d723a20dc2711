"""The scans under a folder: every file, zip and folder that may be one is read in a process apart."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, replace
from io import StringIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
import os
from pathlib import Path
import stat

import numpy as np
import SimpleITK as sitk

from drr.ct.dicom import find_series, largest_per_patient, no_ct, Series
from drr.ct.read import PICTURE_REASON, read_chest
from drr.ct.sources import kind_of, members, note
from drr.errors import InputError
from drr.volume import AIR_HU, SUFFIXES, Volume
from dx2ct.data.cohort import images
from dx2ct.data.cohort.facts import Facts, of_stack, of_volume
from dx2ct.data.cohort.groups import joined
from dx2ct.data.cohort.names import is_plain, shown, written
from dx2ct.data.cohort.selection import patient_key

_WORKFLOW_FOLDERS = ("data", "results", "logs", "benchmarks")
# Files that hold scans, or may, and are not read: nobody shall think that they were.
_UNREAD = {
    (".img",): "an .img without the .hdr that belongs to it: put that beside it",
    (".mgz", ".mgh", ".mnc", ".gipl"): "a volume of a kind that is not read: convert it to .nii.gz",
    (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar"): "an archive that is not read: unpack it",
}
_PLACE_DECIMALS = 2  # of a millimetre
PATIENCE_S = 300  # the largest series from a slow disk needs a fraction of it

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


class _Apart:
    """A process that reads what it is sent; a library may end it, or never come back, without harm."""

    def __init__(self) -> None:
        context = get_context("fork") if hasattr(os, "fork") else get_context()
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()  # so that the end of the process is the end of the pipe

    def read(self, path: Path) -> tuple[list[Found], list[str]] | str:
        """What lies at a path, and the remarks; or why it never answered, and nothing more can be asked."""
        try:
            self._here.send(path)
            if self._here.poll(PATIENCE_S):
                found: tuple[list[Found], list[str]] = self._here.recv()
                return found
        except (EOFError, OSError):
            return "reading it ended the reading process: it is damaged, or memory is short"
        return f"it was not read within {PATIENCE_S} s: it is damaged"

    def end(self) -> None:
        """At once."""
        self._process.kill()
        self._process.join()
        self._here.close()


def _serve(requests: Connection) -> None:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK's warnings come with lines of its source code
    with suppress(EOFError, KeyboardInterrupt):  # the survey has ended
        while True:
            requests.send(_scans_with_remarks(requests.recv()))


def scans_at_each(paths: Sequence[Path]) -> Iterator[list[Found]]:
    """What lies at each path, in their order. Remarks of the readers go to stderr.

    A file may be damaged such that a library ends the whole process, or reads for ever: it is then left out, and the
    others go on.
    """
    apart = _Apart()
    try:
        for path in paths:
            answer = apart.read(path)
            if isinstance(answer, str):
                apart.end()
                apart = _Apart()
                yield [LeftOut(path, answer)]
                continue
            found, remarks = answer
            for remark in remarks:
                note(shown(remark))
            yield found
    finally:
        apart.end()


def _scans_with_remarks(path: Path) -> tuple[list[Found], list[str]]:
    with redirect_stderr(StringIO()) as text:
        found = list(scans_at(path))
    return found, [line.removeprefix("note: ") for line in text.getvalue().splitlines()]


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
    """Series as they are by their UID alone, the largest first, with a name of the patient that can be compared.

    Whoever renames patients may forget some slices: a series has one patient all the same.
    """
    by_uid: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        by_uid[one.uid].append(one)
    whole = [replace(ones[0], files=[file for one in ones for file in one.files]) for ones in by_uid.values()]
    groups = joined([[patient_key(name) for name in _ids(one)] or [""] for one in whole])
    named = [replace(one, patient=str(group)) for group, one in zip(groups, whole, strict=True)]
    return sorted(named, key=lambda one: (-len(one.files), one.uid))


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
